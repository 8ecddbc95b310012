"""Multipart forms, as httpx makes them and as nobody should."""

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_api.forms import MAX_PARTS, Broken, Form, parse

TYPE = "multipart/form-data; boundary=xx"
NAME = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='"\\'), min_size=1, max_size=20
)


@given(
    st.dictionaries(NAME, st.text(max_size=50), max_size=5), st.dictionaries(NAME, st.binary(max_size=200), min_size=1)
)
def test_what_a_client_sends_is_what_is_read(fields: dict[str, str], files: dict[str, bytes]) -> None:
    request = httpx.Request("POST", "http://x", data=fields, files={n: (n, f) for n, f in files.items()})
    assert parse(request.read(), request.headers["content-type"]) == Form(fields, files)


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\r\n\r\n", b"\r\n--x", b"a\r\n\r\n--\r\n", b"\0\xff"])
def test_content_that_looks_like_a_delimiter_is_content(content: bytes) -> None:
    assert parse(part(content) + b"--xx--", TYPE).fields["a"] == content.decode("utf-8", "replace")


def test_preamble_epilogue_padding_and_odd_case_are_allowed() -> None:
    body = b'before\r\n--xx \t\r\ncontent-DISPOSITION:form-data;name=a;filename="b"\r\n\r\nc\r\n--xx--\r\nafter'
    assert parse(body, 'Multipart/Form-Data; charset=x; boundary="xx"') == Form({}, {"a": b"c"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--xx",
        b"--xx--"[:-1],
        b"--xx\r\n\r\n",
        PART := b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nc',
        PART + b"\r\n--x",
        PART + b"\r\n--xx",
        b"--xxx\r\n\r\nc\r\n--xx--",
        b"--xx\r\nno header\r\n\r\nc\r\n--xx--",
        b'--xx\r\nContent-Disposition: form-data; name="a"\r\n--xx--',
        b"--yy\r\n\r\nc\r\n--yy--",
    ],
)
def test_a_broken_body_is_refused(body: bytes) -> None:
    with pytest.raises(Broken, match="multipart body"):
        parse(body, TYPE)


def test_many_parts_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(Broken, match=f"more than {MAX_PARTS} parts"):
        parse(part(b"c") * 1_000_000, TYPE)


def test_without_a_boundary_it_says_so() -> None:
    with pytest.raises(Broken, match="lacks its boundary"):
        parse(b"", "multipart/form-data")


def part(content: bytes) -> bytes:
    return b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + content + b"\r\n"
