"""Which request headers a connection caches, and when it recognises them."""

import pytest

from rest_api.server.known_head import MAX_BYTES, MAX_MISSES, HeadMemory

HEAD = b"POST /predict HTTP/1.1\r\nContent-Length: 5\r\n\r\n"


async def app(*_: object) -> None: ...


def test_a_head_is_recognised_by_its_bytes_with_a_whole_body_behind_it() -> None:
    heads = HeadMemory()
    assert heads.find(HEAD + b"12345") is None
    heads.learn(HEAD + b"12345", 5, {"path": "/predict"}, app)
    found = heads.find(HEAD + b"abcde")
    assert found and (found.head, found.scope, found.app) == (HEAD, {"path": "/predict"}, app)
    for other in (HEAD + b"1234", HEAD + b"123456", HEAD, b"", b"12345", HEAD.lower() + b"12345", HEAD + HEAD):
        assert heads.find(other) is None


@pytest.mark.parametrize(
    "data",
    [HEAD + b"123", HEAD + b"12345" + HEAD, b"\r\n\r\n" + HEAD + b"12345", b"X: " + b"x" * MAX_BYTES + HEAD + b"12345"],
)
def test_data_that_is_not_one_request_is_not_kept(data: bytes) -> None:
    heads = HeadMemory()
    heads.learn(data, 5, {}, app)
    assert heads.find(data) is None and heads.find(HEAD + b"12345") is None


def test_only_the_last_head_is_kept() -> None:
    heads = HeadMemory()
    first, second = (HEAD.replace(b"/predict", b"/%d" % n) + b"12345" for n in range(2))
    heads.learn(first, 5, {}, app)
    heads.learn(second, 5, {}, app)
    assert heads.find(first) is None and heads.find(second)


def test_a_client_whose_heads_all_differ_stops_being_learned() -> None:
    heads = HeadMemory()
    for n in range(MAX_MISSES + 1):
        assert heads.learns
        heads.learn(HEAD.replace(b"/predict", b"/%d" % n) + b"12345", 5, {}, app)
    assert not heads.learns
