"""The documentation pages can't be framed, and run only their own scripts."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import httpx2 as httpx
import pytest
from server import Server

from rest_api.security.access import DOCS


@pytest.mark.parametrize("path", sorted(DOCS))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_page_has_the_headers_once(server: Server, path: str, method: str) -> None:
    headers = httpx.request(method, server.url + path).headers
    assert headers.get_list("x-frame-options") == ["DENY"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers["x-content-type-options"] == "nosniff"
    (policy,) = headers.get_list("content-security-policy")
    for directive in ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"):
        assert directive in policy.split("; ")


def test_swagger_ui_may_run_its_own_scripts_and_no_others(server: Server) -> None:
    answer = httpx.get(f"{server.url}/docs")
    (inline,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    own = f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
    assert f"; script-src 'self' {own};" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"].replace("style-src 'self' 'unsafe-inline'", "")


def test_the_headers_are_there_below_a_prefix(serve: Callable[..., Server]) -> None:
    server = serve(ROOT_PATH="/ml", BOOTSTRAP="false", WEB_CONCURRENCY="1")
    for path in ("/ml/docs", "/docs", "/ml/openapi.json"):
        assert httpx.get(server.url + path).headers["x-frame-options"] == "DENY", path
