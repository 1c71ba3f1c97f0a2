"""Client secrets: made here, shown once, kept as slow hashes, compared in constant time."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from registry_app.auth.errors import OAuthError

_COST: Final = 1 << 14
_BLOCK: Final = 8
_MEMORY: Final = 64 << 20
_THREADS: Final = 2

MOST_WAITING: Final = 64
"""Secrets waiting to be hashed at most: about two seconds of work. More are turned away, for anybody may ask."""

MOST_STRANGERS: Final = 4
"""Of them, for clients that nobody registered, at most: such are soon invented, and must not crowd out the others."""


def new_secret() -> str:
    """Make a secret of 256 bits."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Hash a secret with scrypt (RFC 7914) and a salt of its own; takes some hundredths of a second."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_encode(salt)}${_encode(_scrypt(secret, salt))}"


def is_secret(secret: str, hashed: str) -> bool:
    """Tell whether this is the secret that was hashed."""
    _, salt, digest = hashed.split("$")
    return hmac.compare_digest(_scrypt(secret, base64.b64decode(salt)), base64.b64decode(digest))


class SecretHasher:
    """Hashes in threads of its own, so that neither the event loop nor the database waits for it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="secrets")
        self._nobodys = hash_secret(new_secret())
        self._waiting = self._strangers = 0

    async def hash(self, secret: str) -> str:
        """See `hash_secret`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, hash_secret, secret)

    async def matches(self, secret: str, hashed: str | None) -> bool:
        """See `is_secret`; for an unknown client (None) it takes as long, and is false.

        Raises:
            OAuthError: too many secrets wait already.
        """
        if self._waiting >= MOST_WAITING or (hashed is None and self._strangers >= MOST_STRANGERS):
            sentence = "Too many clients ask for tokens just now; try again."
            raise OAuthError("temporarily_unavailable", sentence, 503, {"retry-after": "2"})
        held, is_stranger = hashed or self._nobodys, hashed is None
        self._waiting += 1
        self._strangers += is_stranger
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(self._threads, is_secret, secret, held)
        finally:
            self._waiting -= 1
            self._strangers -= is_stranger
        return is_right and hashed is not None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=_BLOCK, p=1, maxmem=_MEMORY, dklen=32)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
