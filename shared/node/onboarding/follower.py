"""Follows the register: each refresh brings its changes, by any process, into the memory of this one."""

import asyncio
from collections.abc import Callable

from sqlalchemy import Engine

from shared.node.directory import Directory
from shared.node.onboarding.own import OwnKeys
from shared.storage.reader import read
from shared.transport.tls import TlsTrust


class Follower:
    """Brings directory, TLS trust and signing key in step with the register."""

    def __init__(
        self,
        *,
        engine: Engine,
        directory: Directory,
        trust: TlsTrust,
        issuers: str,
        own_keys: OwnKeys,
        renew_connections: Callable[[], None],
    ) -> None:
        """Follow the register in `engine`.

        Args:
            issuers: PEM text of those trusted beside the certificates that participants have registered.
            renew_connections: called when our own certificate is another one, for connections go on showing the former.
        """
        self._engine = engine
        self._directory = directory
        self._trust = trust
        self._issuers = issuers
        self._own_keys = own_keys
        self._renew_connections = renew_connections
        self._turn = asyncio.Lock()
        self._is_in_step = False

    async def refresh(self) -> None:
        """Read the register again if it has changed, and act on it.

        One call after another: of two at once the earlier could put old trust in place of new.

        Raises:
            StorageUnavailable: the database does not answer.
            OnboardingError: a participant in the register cannot be used.
            IdentityError, TlsConfigurationError: our own files do not fit; tried again at the next call.
        """
        async with self._turn:
            if await read(self._engine, self._directory.refresh):
                self._is_in_step = False
            if not self._is_in_step:
                try:
                    if self._directory.own is not None:
                        await asyncio.to_thread(self._own_keys.use, self._directory.own)
                finally:  # neither waits for the files of the other: a blocked key of ours must sign nothing more
                    await self._trust_anew()
                self._is_in_step = True

    async def _trust_anew(self) -> None:
        shown, trust = self._shown, f"{self._issuers}\n{self._directory.trust}"
        await asyncio.to_thread(self._trust.replace, trust, self._directory.revoked)
        if self._shown != shown:
            self._renew_connections()

    @property
    def _shown(self) -> tuple[str, str]:
        return self._trust.shown, self._trust.shown_calling
