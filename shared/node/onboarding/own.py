"""Our own signing keys: the register decides which of them signs, in every process that shares it.

Private keys never enter the database. A key that was made here is in the keys folder, in a file named after its
kid; processes that share a register have to share that folder too.
"""

import os
import re
from pathlib import Path
from typing import Final

from shared.node.identity import Identity, IdentityError, load_own_key
from shared.node.onboarding.record import KeyRecord, ParticipantRecord, TakenError
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import SigningKey, new_private_key, private_pem

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def make_key_file(file: Path) -> None:
    """Make a private key in a new file that nobody but this user may read.

    Raises:
        IdentityError: the file is there already or cannot be written; then none is left behind.
    """
    private = new_private_key()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(file, private_pem(private))
    except OSError as error:
        hint = "give another kid, or a folder for keys that this user may write: OCEN_KEYS_FOLDER"
        raise IdentityError(f"{file} cannot be made ({error.strerror}): {hint}") from error


class OwnKeys:
    """Keeps `identity.signing_key` in step with the register."""

    def __init__(self, identity: Identity, folder: Path) -> None:
        """Keep keys that are made here in `folder`."""
        self._identity = identity
        self._folder = folder
        known = (identity.signing_key, *identity.backup_keys)
        self._loaded: dict[str, SigningKey] = {key.kid: key for key in known}

    def file(self, kid: str) -> Path:
        """Return where the private key of that kid is, or belongs."""
        return self._identity.key_files.get(kid, self._folder / f"{kid}.key")

    def is_here(self, kid: str) -> bool:
        """Tell whether the private key of that kid is here."""
        return self.file(kid).exists()

    def make(self, kid: str) -> KeyRecord:
        """Make a key pair: the private half becomes a file that only this user can read, the public half a record.

        Raises:
            IdentityError: the kid cannot name a file, or the file is there already or cannot be written; then none is
                left behind.
        """
        if not _FILE_NAME.fullmatch(kid):
            raise IdentityError(f"kid {kid[:64]!r}: use 1 to 64 letters, digits, dots, dashes and underscores")
        make_key_file(self.file(kid))
        return KeyRecord(kid=kid, pem=load_own_key(self.file(kid), kid).public().to_pem())

    def discard(self, kid: str) -> None:
        """Delete a private key that was made but is not used."""
        self.file(kid).unlink(missing_ok=True)

    def check(self, record: ParticipantRecord) -> None:
        """Make sure that we could sign by what a record says of us.

        Raises:
            TakenError: no key would be ACTIVE, or the private half of one that counts is not here.
        """
        counting = [key for key in record.keys if key.status.counts]
        if not any(key.status is KeyStatus.ACTIVE for key in counting):
            raise TakenError(f"{record.organisation_id}: no key would be left to sign with: make one first")
        for key in counting:
            try:
                self._load(key)
            except IdentityError as error:
                raise TakenError(
                    f"{record.organisation_id}: the private key of {key.kid} is not here: make keys here"
                ) from error

    def use(self, record: ParticipantRecord) -> None:
        """Sign from now on with the key that the register calls ACTIVE; where it calls none so, with a back-up.

        Raises:
            IdentityError: no key counts, or the private half of one is not here; then the former key goes on signing.
        """
        counting = sorted((key for key in record.keys if key.status.counts), key=lambda key: key.status.value)
        if not counting:
            raise IdentityError(f"{record.organisation_id}: none of our keys counts; put a new one into identity.json")
        active = counting[0]
        self._identity.signing_key = self._load(active)
        self._identity.backup_keys = tuple(
            self._load(key) for key in counting if key is not active and self.is_here(key.kid)
        )

    def _load(self, key: KeyRecord) -> SigningKey:
        known = self._loaded.get(key.kid)
        if known is None or known.public().to_pem() != key.pem:  # one that was made in vain may have had that kid
            known = load_own_key(self.file(key.kid), key.kid)
            if known.public().to_pem() != key.pem:
                raise IdentityError(f"{self.file(key.kid)} is not the private key of {key.kid}; put the right one back")
            self._loaded[key.kid] = known
        return known


def _write_new(file: Path, content: bytes) -> None:
    """Write a new file that from its first byte only this user can read; if that fails, none is left."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        file.unlink()
        raise
