"""The users and their passwords, as HTTP basic authentication sends them."""

from base64 import b64encode
from contextlib import suppress
from hmac import compare_digest

from pydantic import SecretStr

from ML.config.config import Settings


class Credentials:
    """Those of SERVICE_USER and, where PREDICT_PASS is set, of PREDICT_USER."""

    def __init__(self, settings: Settings) -> None:
        self._accepted = _known(settings.service_user, settings.service_pass)
        if settings.predict_pass:
            self._accepted += _known(settings.predict_user, settings.predict_pass)

    def user(self, header: bytes) -> str | None:
        """Return the user whom an Authorization header proves."""
        scheme, _, sent = header.partition(b" ")
        sent = sent.strip()
        # All, and each in constant time: how long a refusal takes must not tell how much was right.
        found = [user for known, user in self._accepted if compare_digest(sent, known)]
        return found[0] if found and scheme.lower() == b"basic" else None


def _known(user: str, password: SecretStr) -> list[tuple[bytes, str]]:
    """How clients may send it: in UTF-8, or, the older ones, in Latin-1 where that has all of its characters."""
    secret = f"{user}:{password.get_secret_value()}"
    found = [(b64encode(secret.encode()), user)]
    with suppress(UnicodeEncodeError):
        found.append((b64encode(secret.encode("latin-1")), user))
    return found
