"""Types of settings: how their text becomes a value, and what is refused."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

PROTOCOLS = ("oip", "kserve", "sagemaker", "vertex", "mlflow")

HOST_NAME = r"\*|(\*?\.)?[\w-]+(\.[\w-]+)*\.?|\[[\da-fA-F:.]+\]"
"""An IPv6 address has brackets, as in the Host header. `.example.org` and `*.example.org` match its subdomains."""


def _split(value: object) -> object:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _user(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must not contain control characters")
    if ":" in name:
        raise ValueError("must not contain a colon: HTTP basic authentication can't send it")
    return name


def _prefix(path: str) -> str:
    if path and (not path.startswith("/") or path.endswith("/")):
        raise ValueError("must start with a slash and not end with one, such as /ml")
    return path


def _origins(names: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [name for name in names if not re.fullmatch(r"\*|https?://[^/\s]+", name)]:
        raise ValueError(f"{wrong[0]} is not an origin such as https://example.org, without a path")
    return names


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [name for name in names if not re.fullmatch(HOST_NAME, name)]:
        raise ValueError(f"{wrong[0]} is not a host name such as ml.example.org, without scheme, port and path")
    return names


def _networks(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name != "*":
            ip_network(name)  # raises ValueError, which names it
    return names


def _protocols(names: tuple[str, ...]) -> tuple[str, ...]:
    names = () if names == ("none",) else tuple(map(str.lower, names))
    if unknown := [name for name in names if name not in PROTOCOLS]:
        raise ValueError(f"{unknown[0]} is not a protocol; choose from {', '.join(PROTOCOLS)}")
    return names


Lower = BeforeValidator(_lower)
"""Upper and lower case are the same."""

UserName = Annotated[str, Field(min_length=1), AfterValidator(_user)]
"""What HTTP basic authentication can send as a user."""

Prefix = Annotated[str, AfterValidator(_prefix)]
"""The part of a path in front of all routes."""

Route = Annotated[str, Field(pattern=r"^(/[\w.~:@/-]*)?$")]
"""A path without parameters."""

Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Names separated by commas."""

Origins = Annotated[Names, AfterValidator(_origins)]
Hosts = Annotated[Names, AfterValidator(_hosts)]
Networks = Annotated[Names, AfterValidator(_networks)]
Protocols = Annotated[Names, AfterValidator(_protocols)]
