"""Uploads in many formats are read as text cells. Files that are not tables get a clear message."""

import csv
import gzip
import io
import time

import pytest

from ML.errors import Invalid, TooLarge
from ML.tables import reading

MOST = 1_000_000


def columns(data, most=MOST):
    found = reading.read(data if isinstance(data, bytes) else data.encode(), most)
    return dict(zip(found.header, found.columns(MOST), strict=True))


def refusal(data):
    with pytest.raises(Invalid) as caught:
        columns(data)
    return caught.value


SIMPLE = {"a": ["1", "3"], "b": ["2", "4"]}


@pytest.mark.parametrize(
    "data",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\n1,2\n3,4",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\r1,2\r3,4\r",
        "a;b\n1;2\n3;4\n",
        "a\tb\n1\t2\n3\t4\n",
        "a|b\n1|2\n3|4\n",
        "\ufeffa,b\n1,2\n3,4\n",
        "\ufeff\"a\",b\n1,2\n3,4\n",
        "\n\r\na,b\n1,2\n\n\n3,4\n\n",
        " a , b \n1,2\n3,4\n",
        '"a","b"\n"1","2"\n"3","4"\n',
        "a,b,\n1,2,\n3,4,\n",
    ],
)  # fmt: skip
def test_the_same_table_is_read_from_every_kind_of_file(data):
    assert columns(data) == SIMPLE
    assert columns(gzip.compress(data.encode())) == SIMPLE


@pytest.mark.parametrize("separator", reading.SEPARATORS)
def test_cells_may_hold_every_separator_quotes_and_newlines(separator):
    odd = ['say "no", now', "two\nlines", "a;b", "c\td", "e|f", "CR\r\nLF", "🙂", " padded ", "'", "", "\u2028"]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([["text", "n"], *([text, "1"] for text in odd)])
    assert columns(out.getvalue())["text"] == odd


@pytest.mark.parametrize(
    "name", ["two words", 'a "quote"', "_private", "a.b", "🙂", "a,b", "a;b", "class", "0", "x\ny"]
)
@pytest.mark.parametrize("rows", [1, 2, 50])
def test_a_column_may_have_any_name_however_few_rows_follow(name, rows):
    out = io.StringIO()
    csv.writer(out).writerows([[name, "b"], *[["1", "2"]] * rows])
    assert columns(out.getvalue()) == {name: ["1"] * rows, "b": ["2"] * rows}


def test_a_header_is_read_the_same_whether_one_row_follows_or_many():
    """Names that contain other separators must not change how a one-row file is read."""
    header, row = "length; cm; raw,width; cm,kind\n", "1,2,3\n"
    assert reading.read((header + row).encode(), MOST).header == reading.read((header + row * 9).encode(), MOST).header


def test_decimal_commas_leave_the_semicolon_the_separator():
    assert columns("a;b;c\n1,5;2,5;3\n4,5;5,5;6\n") == {"a": ["1,5", "4,5"], "b": ["2,5", "5,5"], "c": ["3", "6"]}


def test_one_column_is_a_table_too():
    assert columns("a\n1\n2\n") == {"a": ["1", "2"]}


def test_a_gap_in_a_table_of_one_column_is_a_row():
    assert columns('a\n1\n""\n2\n') == {"a": ["1", "", "2"]}


def test_columns_without_a_name_are_left_out_and_named_by_their_place():
    found = reading.read(b",a,\n0,1,x\n1,2,y\n", MOST)
    assert found.columns(MOST) == [["1", "2"]]
    assert found.unnamed == ["column 1, which has no name", "column 3, which has no name"]


def test_a_long_table_comes_in_chunks_numbered_by_row():
    found = reading.read(b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(2500)), MOST)
    assert [(first, len(chunk[0])) for first, chunk in found.chunks()] == [(1, 1000), (1001, 1000), (2001, 500)]


def test_more_rows_than_allowed_are_refused():
    with pytest.raises(TooLarge, match=r"More than 3 rows .* MAX_ROWS"):
        reading.read(b"a\n1\n2\n3\n4\n", MOST).columns(3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \r\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"a,b\n", "a header but no rows"),
        (b"a,b", "a header but no rows"),
        (b"a,b\n\n\n", "a header but no rows"),
        (b",,\n1,2,3\n", "names no column"),
        (b"a,b,a\n1,2,3\n", "names 'a' more than once"),
        (b"a, a ,b\n1,2,3\n", "names 'a' more than once"),
        (b'a,b\n1,"2\n3,4\n', "check the quotes"),
        (b'"a,b\n1,2\n', "check the quotes"),
        (b'a,b\n"1"x,2\n', "line 2: .*check the quotes"),
        (b"PK\x03\x04rest", "a binary one"),
        (b"PAR1rest", "a binary one"),
        ("a,b\n1,2\n".encode("utf-16"), "a binary one"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a binary one"),
        (b"a,b\n1,\xff\n", "the byte 0xff at offset 6 is not UTF-8"),
        (b"\xef\xbb\xbfa,b\n1,\xff\n", "the byte 0xff at offset 9 is not UTF-8"),
        ("a,b\n1,é\n".encode("latin-1"), "the byte 0xe9 at offset 6 is not UTF-8"),
        (b"\x1f\x8bnothing", "gzip but can't be unpacked"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "ends too early"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_with_a_remedy(data, message):
    with pytest.raises(Invalid, match=message) as caught:
        columns(data)
    assert [(e["loc"], e["type"]) for e in caught.value.errors] == [([], "csv_invalid")]


def test_a_gzip_file_with_a_wrong_checksum_is_refused():
    packed = bytearray(gzip.compress(b"a,b\n1,2\n"))
    packed[-8] ^= 1
    assert "can't be unpacked" in str(refusal(bytes(packed)))


def test_a_gzip_file_of_several_members_is_read_to_its_end_or_refused_but_never_cut():
    """`cat a.gz b.gz` and bgzip create such files, and gunzip decompresses all members."""
    data = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")
    assert columns(data) == SIMPLE


def test_a_gzip_file_of_many_members_takes_time_in_proportion_to_its_bytes():
    def seconds(members):
        """Return the CPU time in seconds, because other processes use the machine too."""
        data = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n") + gzip.compress(b"") * members
        started = time.thread_time()
        assert columns(data) == SIMPLE
        return time.thread_time() - started

    # Where each member copied the rest of the file, the larger took a thousand times as long.
    assert min(seconds(300_000) for _ in range(2)) < 100 * min(seconds(10_000) for _ in range(3))


def test_a_gzip_bomb_is_refused_before_it_is_unpacked():
    with pytest.raises(TooLarge, match="more than 1000 bytes when unpacked"):
        columns(gzip.compress(b"a\n" + b"1\n" * 5_000_000), most=1000)


def test_every_ragged_row_is_named_by_its_number():
    errors = refusal("a,b\n1,2\n3\n4,5,6\n\n7,8\n9\n").errors
    assert [(e["loc"], e["type"]) for e in errors] == [([row], "ragged_row") for row in (2, 3, 5)]
    assert errors[1]["msg"] == "row 3 has 3 cells where the header has 2"


def test_ragged_rows_are_named_past_the_first_chunk_and_counted_past_a_hundred():
    detail = refusal("a,b\n" + "1,2\n" * 1500 + "1\n" * 150).detail
    assert len(detail) == 101 and detail[0]["loc"][-1] == 1501
    assert detail[-1] == {"loc": [], "msg": "and 50 more errors", "type": "too_many_errors", "input": None}


def test_a_million_ragged_rows_are_counted_and_only_the_first_kept():
    detail = refusal("a,b\n" + "1\n" * 1_000_000).detail
    assert len(detail) == 101 and detail[-1]["msg"] == "and 999900 more errors"


def test_a_row_in_place_of_the_header_with_a_value_twice_is_asked_about():
    assert "is the header missing? The first line is 1,2,1" in str(refusal("1,2,1\n3,4,5\n"))
