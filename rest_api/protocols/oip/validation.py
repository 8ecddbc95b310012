"""Validates the JSON of requests, and says where an error is: clients see texts, not FastAPI's lists."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ML.errors import Invalid

T = TypeVar("T")


def checked(kind: TypeAdapter[T], value: Any) -> T:
    """Return the value, validated as this type. Raise Invalid with the location of each error."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        shown = [{**e, "msg": _located(e["loc"], e["msg"])} for e in errors[: Invalid.most]]
        raise Invalid(shown, len(errors)) from None


def _located(location: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    return f"{where}: {message}" if where else message
