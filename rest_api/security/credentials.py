"""The users and their passwords, in the form of HTTP basic authentication (RFC 7617)."""

from base64 import b64encode
from contextlib import suppress
from hmac import compare_digest

from pydantic import SecretStr

from ML.config.config import Settings


class Credentials:
    """The credentials of SERVICE_USER and, if PREDICT_PASS is set, of PREDICT_USER."""

    def __init__(self, settings: Settings) -> None:
        self._accepted = _known(settings.service_user, settings.service_pass)
        if settings.predict_pass:
            self._accepted += _known(settings.predict_user, settings.predict_pass)

    def user(self, header: bytes) -> str | None:
        """Return the user whose credentials are in an Authorization header; None if they are wrong."""
        scheme, _, sent = header.partition(b" ")
        sent = sent.strip()
        # Compare with all of them, each in constant time, so that the time taken reveals no partial match.
        users = [user for known, user in self._accepted if compare_digest(sent, known)]
        return users[0] if users and scheme.lower() == b"basic" else None


def _known(user: str, password: SecretStr) -> list[tuple[bytes, str]]:
    """Return what clients may send: UTF-8, or, as older clients do, Latin-1 if it has all the characters."""
    secret = f"{user}:{password.get_secret_value()}"
    forms = [(b64encode(secret.encode()), user)]
    with suppress(UnicodeEncodeError):
        forms.append((b64encode(secret.encode("latin-1")), user))
    return forms
