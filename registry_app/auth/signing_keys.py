"""The keys that tokens are signed with: public halves in the database, private halves in files.

A key that was replaced stays published for as long as a token signed with it may live. Processes on one database sign
with the same key at any time, as each asks the table for every token; they share the folder of keys.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from joserfc.jwk import RSAKey
from sqlalchemy import Connection, Row, insert, or_, select, update

from registry_app.settings import LONGEST_LIFE
from registry_app.store.tables import SIGNING_KEYS
from shared.node.identity import IdentityError, read_text
from shared.node.ids import new_id
from shared.node.onboarding.own import make_key_file

PUBLISHED_BEYOND: Final = LONGEST_LIFE + timedelta(minutes=10)
"""How long a replaced key stays in the JWKS: the life of a token, and what clocks and a late signature may add."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A public key of the Auth Service; `retired_at` (aware) tells since when it does not sign any more."""

    kid: str
    pem: str
    made_at: datetime
    retired_at: datetime | None
    published_until: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> "TokenKey":
        """Read a row."""
        return cls(**row._mapping)


class SigningKeys:
    """Makes, replaces and loads the keys."""

    def __init__(self, folder: Path) -> None:
        """Keep private keys in `folder`."""
        self._folder = folder
        self._private: dict[str, RSAKey] = {}

    def make_first(self, connection: Connection, now: datetime, *, replaces_lost: bool = False) -> None:
        """Make a key if none signs, else make sure that the private half of the one that signs is here.

        With `replaces_lost` a new key takes the place of one that is not. That is for an operator to say: where
        processes on one database do not share their folder by mistake, each would take the other's key away.

        Raises:
            IdentityError: a file cannot be written or read.
        """
        if connection.execute(select(SIGNING_KEYS.c.kid).where(SIGNING_KEYS.c.retired_at.is_(None))).first() is None:
            self._enter(connection, self.make_file(), now)
        try:
            self.private(current_key(connection))
        except IdentityError:
            if not replaces_lost:
                raise
            self.replace(connection, self.make_file(), now)

    def make_file(self) -> str:
        """Make a private key and return its kid; it signs nothing until `replace` has entered it.

        Raises:
            IdentityError: the file cannot be written.
        """
        kid = new_id()
        make_key_file(self._file(kid))
        return kid

    def replace(self, connection: Connection, kid: str, now: datetime) -> None:
        """Sign with the key of that kid from now on; the former one stays published until its tokens have expired."""
        connection.execute(
            update(SIGNING_KEYS)
            .where(SIGNING_KEYS.c.retired_at.is_(None))
            .values(retired_at=now, published_until=now + PUBLISHED_BEYOND)
        )
        self._enter(connection, kid, now)

    def private(self, key: TokenKey) -> RSAKey:
        """Return the private half of a key.

        Raises:
            IdentityError: its file is not here, or is of another key.
        """
        private = self._load(key.kid)
        if not private.is_private or _public_pem(private) != key.pem:
            raise IdentityError(f"{self._file(key.kid)} is not the private key of {key.kid}; put the right one back")
        return private

    def _enter(self, connection: Connection, kid: str, now: datetime) -> None:
        pem = _public_pem(self._load(kid))
        connection.execute(insert(SIGNING_KEYS).values(kid=kid, pem=pem, made_at=now))

    def _load(self, kid: str) -> RSAKey:
        if kid not in self._private:
            file = self._file(kid)
            try:
                self._private[kid] = RSAKey.import_key(read_text(file))
            except (IdentityError, ValueError, TypeError) as error:
                hint = "put the right one back or, if it is lost, start once with OCEN_REPLACE_LOST_KEY=true"
                raise IdentityError(f"{file} holds no RSA key in PEM that can be read; {hint}") from error
        return self._private[kid]

    def _file(self, kid: str) -> Path:
        return self._folder / f"{kid}.key"


def _public_pem(key: RSAKey) -> str:
    return key.as_pem(private=False).decode("ascii")


def current_key(connection: Connection) -> TokenKey:
    """Return the key that signs."""
    return TokenKey.of(connection.execute(select(SIGNING_KEYS).where(SIGNING_KEYS.c.retired_at.is_(None))).one())


def published_keys(connection: Connection, now: datetime) -> list[TokenKey]:
    """Return the keys that tokens may be verified with at `now` (aware): the one that signs, then the newest."""
    counts = or_(SIGNING_KEYS.c.retired_at.is_(None), SIGNING_KEYS.c.published_until > now)
    order = (SIGNING_KEYS.c.retired_at.is_not(None), SIGNING_KEYS.c.made_at.desc(), SIGNING_KEYS.c.kid.desc())
    rows = connection.execute(select(SIGNING_KEYS).where(counts).order_by(*order))
    return [TokenKey.of(row) for row in rows]
