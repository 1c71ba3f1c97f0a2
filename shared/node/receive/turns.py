"""One large message of a certificate at a time: whoever sends many must not keep others from being answered."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final
from weakref import WeakValueDictionary

from shared.protocol.phases import Opened

LARGE_BODY_BYTES: Final = 16_384
"""A longer body waits for its turn, and so does one whose length is not known before it has been read. (Ordinary
messages have a KiB or two; 64 KiB of small values already take 10 ms.)"""

_NO_WAIT: Final = nullcontext()


class Turns:
    """Lets the large messages of each certificate be read and judged one after another.

    A turn begins before the body is read, so that what waits holds no more memory than the server has read ahead.
    Whoever lets us wait for the rest of a body delays only the large messages of its own certificate, until the server
    drops the connection.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, message: Opened) -> AbstractAsyncContextManager[object]:
        """Return what has to be entered before this message is read; a small one need not wait."""
        if message.declared_size <= LARGE_BODY_BYTES and "transfer-encoding" not in message.wire.headers:
            return _NO_WAIT
        certificate = message.peer.certificate
        lock = self._locks.get(certificate)
        if lock is None:  # the weak dictionary drops it when nobody has or awaits the turn
            lock = self._locks[certificate] = asyncio.Lock()
        return lock
