"""Messages for files that are not tables say what they are. Tables are read in blocks of any size."""

import csv
import gzip
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ML.errors import Invalid
from ML.tables import reading, upload

MOST = 10**8
CELL = st.text(st.sampled_from('ab1é😀," \n\r;\t|'), max_size=6)


def read(data):
    found = reading.read(data, MOST)
    return found.header, found.columns(MOST)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20), end=st.sampled_from(["\n", "\r\n"]),
       block=st.integers(1, 40))  # fmt: skip
def test_a_table_is_the_same_wherever_its_blocks_end(rows, end, block, monkeypatch):
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("x", "y"), *rows])
    with monkeypatch.context() as patch:
        patch.setattr(upload, "BLOCK", block)
        assert read(out.getvalue().encode()) == (["x", "y"], [list(column) for column in zip(*rows, strict=True)])


@pytest.mark.parametrize("block", [1, 2, 3, 10])
def test_lines_may_end_as_on_an_old_mac(block, monkeypatch):
    monkeypatch.setattr(upload, "BLOCK", block)
    assert read(b'a,b\r1,"x\ry"\r2,z\r') == (["a", "b"], [["1", "2"], ["x\ry", "z"]])


@pytest.mark.parametrize("boms", [1, 2, 3])
def test_no_byte_order_mark_stays_in_a_name(boms):
    assert read("\ufeff".encode() * boms + b"a,b\n1,2\n")[0] == ["a", "b"]
    assert read("\ufeff\n\ufeff".encode() + b"a,b\n1,2\n")[0] == ["a", "b"]


ROWS = [{"a": 1, "b": "x,y"}, {"a": None, "b": [1]}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"instances": ROWS}),
        json.dumps({"instances": ROWS * 1000}),
        "\n".join(map(json.dumps, ROWS)),
        json.dumps([[1, 2], [3, 4]]),
        "\ufeff  " + json.dumps(ROWS),
        "{}",
    ],
)
def test_an_upload_of_json_is_refused_with_the_route_for_json(text):
    for data in (text.encode(), gzip.compress(text.encode())):
        with pytest.raises(Invalid, match="this is JSON, not CSV; send JSON rows to /predict .* or export"):
            read(data)


@pytest.mark.parametrize("header", ['["x"],b', "[a],[b]", "{a},b", "[1],[2]", "[],b", "{},b"])
def test_names_in_brackets_are_no_json(header):
    assert read(f"{header}\n1,2\n".encode())[0] == header.split(",")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04rest", "a binary one .an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel workbook"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"PAR1rest", "a Parquet file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n<HTML>\n", "a web page"),
        (b"a" * 1001 + b",b\n1,2\n", "the name of column 1 has 1,001 characters, at most 1,000 are allowed; it begins"),
        (b",".join(b"%d" % i for i in range(10_001)), "the first line has 10,001 cells; a table has at most 10,000"),
        (b"," * 5_000_000, "a table has at most 10,000 columns"),
        (b"a,b\n1," + b"x" * 2_000_000 + b"\n", "a row is longer than 1024 kB"),
        (b'a,b\n1,"' + b"x\n" * 1_000_000, "a row is longer than 1024 kB"),
    ],
)
def test_other_files_are_refused_in_a_short_message(data, message):
    with pytest.raises(Invalid, match=message) as caught:
        read(data)
    assert len(str(caught.value)) < 300


def test_ten_thousand_columns_of_long_names_are_a_table():
    names = [f"{i}".rjust(90, "c") for i in range(10_000)]
    header, columns = read((",".join(names) + "\n" + ",".join(["1"] * 10_000) + "\n").encode())
    assert header == names and columns == [["1"]] * 10_000


def test_a_name_may_have_separators_and_line_breaks():
    assert read(b'"a,\nb","c;d"\n1,2\n')[0] == ["a,\nb", "c;d"]
