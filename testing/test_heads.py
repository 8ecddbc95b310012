"""Which heads are kept, and when one is found."""

from typing import Any

import pytest
from conftest import USER

from rest_api.heads import MOST, MOST_BYTES, SAME, Heads

HEAD = b"POST /predict HTTP/1.1\r\nContent-Length: 5\r\n\r\n"


def scope(*headers: tuple[bytes, bytes], user: str = USER) -> dict[str, Any]:
    same = {"user": user} if user else {}
    return {"headers": [(b"content-length", b"5"), *headers], "extensions": {SAME: same}}


def test_a_head_is_found_by_its_bytes_with_a_whole_body_behind_it() -> None:
    heads = Heads()
    assert heads.find(HEAD + b"12345") is None
    heads.learn(HEAD + b"12345", scope(), "front")
    found = heads.find(HEAD + b"abcde")
    assert found and (found[0].front, found[0].length, found[1]) == ("front", 5, b"abcde")
    for other in (HEAD + b"1234", HEAD + b"123456", HEAD, b"", b"12345", HEAD.lower() + b"12345", HEAD + HEAD):
        assert heads.find(other) is None


@pytest.mark.parametrize(
    ("data", "given"),
    [
        (HEAD + b"12345", scope(user="")),  # not let in
        (HEAD + b"12345", scope((b"transfer-encoding", b"chunked"))),
        (HEAD + b"123", scope()),
        (HEAD + b"12345" + HEAD, scope()),
        (b"X: " + b"x" * MOST_BYTES + HEAD + b"12345", scope()),
    ],
)
def test_what_is_not_kept(data: bytes, given: dict[str, Any]) -> None:
    heads = Heads()
    heads.learn(data, given, "front")
    assert heads.find(data) is None and heads.find(HEAD + b"12345") is None


def test_only_so_many_heads_are_kept() -> None:
    heads = Heads()
    requests = [HEAD.replace(b"/predict", b"/%d" % n) + b"12345" for n in range(3 * MOST)]
    for data in requests:
        heads.learn(data, scope(), "front")
    kept = [data for data in requests if heads.find(data)]
    assert 0 < len(kept) <= MOST and requests[-1] in kept
