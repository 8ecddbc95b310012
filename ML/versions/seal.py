"""The seal of a card: a checksum that shows whether the file was changed after it was written.

It protects against accidents and edits by hand. It is not a signature: anyone who can write the folder can compute a
new one. The card has the checksums of the model's files, so the seal covers them too.
"""

import hashlib
import json
from typing import Any

SEAL = "seal"


def sealed(card: str) -> str:
    """Return the card, a JSON object, with a new seal in place of any old one."""
    fields = json.loads(card)
    fields.pop(SEAL, None)
    return json.dumps(fields | {SEAL: _checksum(fields)}, indent=1, ensure_ascii=False)


def has_seal(card: bytes) -> bool:
    """Return whether the card has a seal, valid or not."""
    return SEAL in json.loads(card)


def matches(card: bytes) -> bool:
    """Return whether the seal is valid for the card's content, whatever its line breaks and the order of its keys."""
    fields = json.loads(card)
    return bool(fields.pop(SEAL, None) == _checksum(fields))


def _checksum(card: dict[str, Any]) -> str:
    text = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
