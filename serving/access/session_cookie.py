"""The cookies of a signed-in browser, and what seals them. All servers of an installation share one secret."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_SECRET_CHARACTERS = 32
# Session cookies are 150 characters; a longer one is somebody else's.
MAX_COOKIE_CHARACTERS = 4_096


class Seal:
    """Signs session ids, and encrypts what must stay hidden (AES-256-GCM), each with a key of its own."""

    def __init__(self, secret: str) -> None:
        """Derive the keys. Raises ValueError when the secret is short."""
        if len(secret) < MIN_SECRET_CHARACTERS:
            raise ValueError(f"at least {MIN_SECRET_CHARACTERS} characters")
        self._signing = _key(secret, "session cookie")
        self._encrypting = _key(secret, "refresh token and sign-in state")

    def signed(self, session_id: str) -> str:
        """Return a session id with its signature."""
        return jws.serialize_compact({"alg": "HS256"}, session_id, self._signing)

    def session_id(self, cookie: str) -> str | None:
        """Return the session id of a cookie, None when the signature is not ours."""
        if len(cookie) > MAX_COOKIE_CHARACTERS:
            return None
        try:
            return jws.deserialize_compact(cookie, self._signing, algorithms=["HS256"]).payload.decode()
        except (JoseError, ValueError, TypeError, KeyError):
            return None

    def encrypted(self, content: Mapping[str, Any]) -> str:
        """Return some content in a form that only this secret opens."""
        header = {"alg": "dir", "enc": "A256GCM"}
        return jwe.encrypt_compact(header, orjson.dumps(content), self._encrypting)

    def opened(self, text: str) -> dict[str, Any] | None:
        """Return encrypted content, None when it is not ours."""
        if len(text) > MAX_COOKIE_CHARACTERS * 4:
            return None
        try:
            content = orjson.loads(
                jwe.decrypt_compact(text, self._encrypting, algorithms=["dir", "A256GCM"]).plaintext or b""
            )
        except (JoseError, ValueError, TypeError, KeyError):
            return None
        return content if isinstance(content, dict) else None


@dataclass(frozen=True, slots=True)
class CookieNames:
    """Names of the cookies. Browsers themselves guard the prefix `__Host-`: only this host sets such a cookie, over
    https, for all paths."""

    session: str
    sign_in: str

    @classmethod
    def of(cls, *, secure: bool) -> CookieNames:
        """Return the names for https or http."""
        prefix = "__Host-" if secure else ""
        return cls(f"{prefix}tributary-session", f"{prefix}tributary-sign-in")


def new_session_id() -> str:
    """Return a random session id."""
    return secrets.token_urlsafe(32)


def session_hash(session_id: str) -> str:
    """Return what is stored of a session id."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def _key(secret: str, purpose: str) -> OctKey:
    derived = HKDF(hashes.SHA256(), 32, salt=None, info=f"tributary {purpose}".encode()).derive(secret.encode())
    return OctKey.import_key(derived)
