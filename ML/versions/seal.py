"""The seal of a card: a checksum that shows whether its file was changed after this project wrote it.

It guards against accidents and hand edits. It is no signature: whoever can write the folder and knows this code can
compute it anew. The card holds the checksums of the model's files, so the seal covers them too.
"""

import hashlib
import json
from typing import Any

SEAL = "seal"


def sealed(card: str) -> str:
    """Return the card, a JSON object, with its seal. A seal that it has already is replaced."""
    found = json.loads(card)
    found.pop(SEAL, None)
    return json.dumps(found | {SEAL: _checksum(found)}, indent=1, ensure_ascii=False)


def has_seal(card: bytes) -> bool:
    """Whether the card has a seal, matching or not."""
    return SEAL in json.loads(card)


def matches(card: bytes) -> bool:
    """Whether the card is the one that was sealed. Line breaks and the order of its keys do not matter."""
    found = json.loads(card)
    return bool(found.pop(SEAL, None) == _checksum(found))


def _checksum(card: dict[str, Any]) -> str:
    text = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
