"""CloudEvents around a prediction, as in KServe: its attributes in headers (binary) or in the body (structured).

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from fastapi import Response
from pydantic_core import to_json
from starlette.datastructures import Headers

from ML.errors import Invalid
from ML.schema import json_size

TYPE = "application/cloudevents+json"
REQUIRED = ("specversion", "id", "source", "type")
VERSIONS = ("1.0", "0.3")

Mode = Literal["binary", "structured"] | None


def mode(headers: Headers) -> Mode:
    """Return the mode of an event, or None if the request is no event or lacks a required header. Raise Invalid."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() == TYPE:
        return "structured"
    if any(f"ce-{name}" not in headers for name in REQUIRED):
        return None
    _check_version(headers["ce-specversion"])
    return "binary"


def data(body: bytes, most_rows: int, width: int) -> Any:
    """Return the JSON value in a structured event. Raise Invalid and TooLarge."""
    event = json_size.read(body, most_rows, width)
    missing = [name for name in REQUIRED if not (isinstance(event, dict) and isinstance(event.get(name), str))]
    if missing:
        message = f"the event lacks {' and '.join(missing)}; a CloudEvent has {', '.join(REQUIRED)}, all of them texts"
        raise Invalid.at(missing[0], msg=message, type="event_invalid")
    _check_version(event["specversion"])
    encoded = event.get("data_base64")
    if event.get("data") is not None or encoded is None:
        return event.get("data")
    try:
        decoded = b64decode(encoded, validate=True)
    except (ValueError, TypeError) as error:
        message = f"data_base64 is not base64: {error}"
        raise Invalid.at("data_base64", msg=message, type="event_invalid") from None
    return json_size.read(decoded, most_rows, width)


def answer(model: str, fields: dict[str, Any], mode: Mode) -> Response:
    """Return the answer as a new event, in the mode of the request."""
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"io.kserve.inference.{model}",
        "type": "io.kserve.inference.response",
        "time": datetime.now(UTC).isoformat(),
    }
    if mode == "binary":
        headers = {f"ce-{name}": value for name, value in event.items()}
        return Response(to_json(fields, inf_nan_mode="null"), 200, headers, "application/json")
    whole = {**event, "datacontenttype": "application/json", "data": fields}
    return Response(to_json(whole, inf_nan_mode="null"), media_type=TYPE)


def _check_version(version: str) -> None:
    if version not in VERSIONS:
        message = f"version {version[:40]} of CloudEvents is not known; send {VERSIONS[0]}"
        raise Invalid.at(msg=message, type="event_invalid", input=version)
