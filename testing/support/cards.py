"""Cards changed by an attacker who can write the store and knows how a card is sealed."""

import json
from pathlib import Path
from typing import Any

from ML.versions import seal


def write_sealed(path: Path, card: dict[str, Any]) -> None:
    """Write a card with a matching seal."""
    path.write_text(seal.sealed(json.dumps(card)))
