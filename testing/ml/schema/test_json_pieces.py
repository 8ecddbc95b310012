"""Large JSON bodies that are read in pieces give the same rows as if read at once."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_rows import COLUMNS, ROW, make_parser

from ML.errors import Invalid, TooLarge
from ML.schema import json_pieces, json_rows

TEXT = st.one_of(st.text(max_size=8), st.text('[]{},":\\ \n', min_size=1, max_size=12))
EXTRA = st.recursive(TEXT | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=6)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
EXTRAS = st.dictionaries(TEXT.map(lambda name: f"+{name}"), EXTRA, max_size=3)
OBJECTS = st.lists(
    st.builds(lambda nation, more, n: ROW | {"nation": nation, "n": n} | more, TEXT, EXTRAS, NUMBERS),
    min_size=1,
    max_size=40,
)
LEARNED = make_parser()


@pytest.fixture(autouse=True, params=[1, 100, 3000])
def in_pieces(request, monkeypatch):
    """Split even small bodies."""
    monkeypatch.setattr(json_rows, "WHOLE", 0)
    monkeypatch.setattr(json_pieces, "PIECE", request.param)


def outcome(body):
    try:
        found = LEARNED.parse(body, 1000)
    except Invalid as error:
        return error.detail
    frame = LEARNED.schema.frame(found.columns)
    return json.loads(frame.to_json(orient="values")), found.rows, found.probabilities, sorted(found.unused)


def whole(body, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(json_rows, "WHOLE", 10**9)
        return outcome(body)


SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SOME
@given(rows=OBJECTS, indent=st.sampled_from([None, 1]), arrays=st.booleans(), first=st.booleans())
def test_rows_in_pieces_are_the_rows(rows, indent, arrays, first, monkeypatch):
    asked = {"parameters": {"probabilities": True}}
    sent = {"instances": [[row[name] for name in COLUMNS] if arrays else row for row in rows]}
    body = json.dumps(asked | sent if first else sent | asked, indent=indent).encode()
    assert outcome(body) == whole(body, monkeypatch)


@SOME
@given(rows=OBJECTS, wrong=st.sets(st.integers(0, 39)), value=st.sampled_from(["x", None, [1], True]))
def test_errors_in_pieces_name_the_same_places(rows, wrong, value, monkeypatch):
    for place in wrong:
        if place < len(rows):
            rows[place] = rows[place] | {"yes": value} if place % 3 else {"n": 1}
    body = json.dumps({"instances": rows, "parameters": {}}).encode()
    assert outcome(body) == whole(body, monkeypatch)


@SOME
@given(rows=OBJECTS, data=st.data())
def test_a_body_that_is_cut_off_or_damaged_is_refused(rows, data, monkeypatch):
    body = bytearray(json.dumps({"instances": rows}).encode())
    place = data.draw(st.integers(20, len(body) - 1))
    if data.draw(st.booleans()):
        body = body[:place]
    else:
        body[place] = data.draw(st.sampled_from(list(b'"[]{},: x\\')))
    one, other = outcome(bytes(body)), whole(bytes(body), monkeypatch)
    assert isinstance(one, list) == isinstance(other, list), (one, other)
    if isinstance(other, tuple):
        assert one == other
    elif other[0]["type"] == "json_invalid":
        assert one[0]["type"] in ("json_invalid", "too_deep") and one[0]["loc"] == []


def test_a_syntax_error_is_reported_with_its_line_and_column():
    body = b'{"instances": [\n' + b"".join(b"  %s,\n" % json.dumps(ROW).encode() for _ in range(50)) + b"  {,}\n]}"
    assert "at line 52 column 4" in outcome(body)[0]["msg"]
    body = b'{"instances": [%s],\n "parameters": oops}' % json.dumps(ROW).encode()
    assert "at line 2 column 16" in outcome(body)[0]["msg"]


@pytest.mark.parametrize("row", [b"[[[[[[[[[1]]]]]]]]]", b'{"a": ' * 9 + b"1" + b"}" * 9])
def test_a_deeply_nested_row_is_refused_with_a_remedy(row):
    with pytest.raises(Invalid, match="8 levels of brackets; send plain values"):
        LEARNED.parse(b'{"instances": [' + b",".join([row] * 3) + b"]}", 100)


def test_more_rows_than_allowed_are_refused_in_pieces_too():
    body = json.dumps({"instances": [ROW] * 30}).encode()
    assert LEARNED.parse(body, 30).rows == 30
    with pytest.raises(TooLarge, match="More than 29 rows"):
        LEARNED.parse(body, 29)
