"""Rewrites the schemas of an OpenAPI document, without changing their meaning, into what client generators understand.

Generators skip an operation for an array without `items`, a list of types, an enum of several types, a header that is
an array, two classes of one name, or two properties that get the same name in code.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any

Part = dict[str, Any]
"""A part of a document."""

PREFIX = "#/components/schemas/"
REF = PREFIX + "{model}"

_ONE = ("items", "additionalProperties", "contains", "not", "propertyNames")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "patternProperties")
_NOTES = {"description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"}
_SYMBOLS = re.compile(r"[\\^$.*+?()\[\]{}|/]")
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def rewrite(document: dict[str, Any]) -> None:
    """Rewrite all schemas of a document in place. Every component gets a unique title."""
    parts, titles = document["components"]["schemas"], list[str]()
    for name, part in parts.items():
        titles.append(unused((part.get("title", name), name), titles))
        parts[name] = {"title": titles[-1]} | _plain(part)
    for operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if "schema" in parameter:
                parameter["schema"] = _as_sent(_plain(parameter["schema"]), parameter["in"])
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in holder.get("content", {}).values():
                if "schema" in media:
                    media["schema"] = _plain(media["schema"])


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all operations of a document."""
    return chain.from_iterable(methods.values() for methods in document["paths"].values())


def unused(names: Sequence[str], taken: Iterable[str]) -> str:
    """Return the first name that is not taken, in generated code either. If all are, return the last with a number."""
    known = set(map(_in_code, taken))
    numbered = (f"{names[-1]}_{number}" for number in count(2))
    return next(name for name in chain(names, numbered) if _in_code(name) not in known)


def _in_code(name: str) -> str:
    """Return the name without case, spaces and symbols. Names that are equal then become the same name in code."""
    letters = "".join(c for c in name if c.isidentifier() or c.isdecimal())
    return "_" * letters.startswith("_") + letters.replace("_", "").casefold()


def _plain(schema: Any) -> Any:
    """Return an equal schema without titles inside: generators would name classes after them, and the names clash."""
    if not isinstance(schema, dict):
        return schema
    plain = {key: _inside(key, value) for key, value in schema.items() if key != "title"}
    for rewritten in (_enum_by_type, _types_apart, _flat, _with_items, _as_file, _names_apart):
        plain = rewritten(plain)
    return plain


def _inside(key: str, value: Any) -> Any:
    if key in _ONE:
        return _plain(value)
    if key in _LISTS:
        return list(map(_plain, value))
    return {name: _plain(part) for name, part in value.items()} if key in _MAPS else value


def _enum_by_type(schema: Part) -> Part:
    """Turn `enum: [true, false, "yes", "no"]` into a boolean or one of two strings."""
    values: dict[str, list[Any]] = {}
    for value in schema.get("enum", ()) if set(schema) - _NOTES == {"enum"} else ():
        values.setdefault(_TYPES.get(type(value), "other"), []).append(value)
    if "other" in values:
        return schema
    branches = [_one_type(kind, group) for kind, group in values.items()]
    return _either(schema, branches) if branches else schema


def _one_type(kind: str, values: list[Any]) -> Part:
    whole = kind == "null" or (kind == "boolean" and len(values) == 2)
    return {"type": kind} if whole else {"type": kind, "enum": values}


def _types_apart(schema: Part) -> Part:
    """Turn `type: [array, object]` into a choice of two schemas."""
    if not isinstance(schema.get("type"), list) or "anyOf" in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key not in _NOTES}
    return _either(schema, [_with_items(rest | {"type": kind}) for kind in schema["type"]])


def _either(schema: Part, branches: list[Part]) -> Part:
    notes = {key: value for key, value in schema.items() if key in _NOTES}
    return (branches[0] if len(branches) == 1 else {"anyOf": branches}) | notes


def _flat(schema: Part) -> Part:
    """Turn nested choices into a single one."""
    if "anyOf" not in schema:
        return schema
    branches = chain.from_iterable(b["anyOf"] if set(b) == {"anyOf"} else [b] for b in schema["anyOf"])
    return schema | {"anyOf": list(branches)}


def _as_file(schema: Part) -> Part:
    """Mark a file of a form as OpenAPI 3.0 does too, because generators look for that."""
    file = schema.get("type") == "string" and schema.get("contentMediaType") == "application/octet-stream"
    return schema | {"format": "binary"} if file else schema


def _with_items(schema: Part) -> Part:
    """Add empty `items` to an array without any."""
    bare = schema.get("type") == "array" and not {"items", "prefixItems"} & set(schema)
    return schema | {"items": {}} if bare else schema


def _names_apart(schema: Part) -> Part:
    """Describe properties by a pattern if an earlier one has the same name in code (`price €`, `price $`)."""
    unique: Part = {}
    patterns: Part = {}
    codes: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        if _in_code(name) in codes:
            patterns["^" + _SYMBOLS.sub(r"\\\g<0>", name) + "$"] = part
        else:
            unique[name] = part
        codes.add(_in_code(name))
    return schema | {"properties": unique, "patternProperties": patterns} if patterns else schema


def _as_sent(schema: Part, place: str) -> Part:
    """Return what a client can send: a parameter is never null, and a header that is a list is a text with commas."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    schema = _either(schema, choices) if choices else schema
    listed = place == "header" and schema.get("type") == "array"
    return _either(schema, [{"type": "string"}]) if listed else schema
