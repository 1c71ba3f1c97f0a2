"""The registrar: carries out what an operator wants done with participants. Each method is one transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, update

from registry_app.auth.client_secrets import SecretHasher, new_secret
from registry_app.registration import (
    AmendmentForm,
    KeysForm,
    RegistrationForm,
    judged,
    judged_address,
    judged_keys,
    judged_organisation,
)
from registry_app.standing import StatusChange
from registry_app.store.book import Book
from registry_app.store.entry import enter, refuse_taken
from registry_app.store.roles import (
    StoredRole,
    demand_participant,
    load_role,
    remove_resources,
    replace_certificates,
    replace_keys,
    update_role,
)
from registry_app.store.tables import ORGANISATIONS
from shared.clock import Clock
from shared.node.ids import new_id
from shared.node.onboarding.record import TakenError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A participant with the credentials of its client; the secret is known here and now only."""

    participant: StoredRole
    client_secret: str = field(repr=False)


class NetworkRegistrar:
    """Registers, approves, changes and offboards participants.

    Raises (all methods): UnknownError where there is no such participant, TakenError where what is asked
    is at odds with what is known, FormError where a field cannot have its value.
    """

    def __init__(self, book: Book, hasher: SecretHasher, clock: Clock, refresh: Callable[[], Awaitable[None]]) -> None:
        """`refresh` brings the TLS trust in step with the register."""
        self._book = book
        self._hasher = hasher
        self._clock = clock
        self._refresh = refresh

    async def register(self, form: RegistrationForm) -> Credentials:
        """Register a participant by its form: it has APPLIED, and its client gets tokens when it is approved."""
        now = self._clock.now()
        registration = await asyncio.to_thread(judged, form, now)
        secret = new_secret()
        client = {"client_id": new_id(), "secret_hash": await self._hasher.hash(secret)}
        participant = await self._act(lambda connection: enter(connection, registration, client, now))
        return Credentials(participant, secret)

    async def step(self, participant_id: int, step: StatusChange, by: str, reason: str) -> StoredRole:
        """Take a step in a participant's life: approve, suspend or reject it."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            participant = demand_participant(connection, participant_id)
            if participant.status not in step.begins:
                raise TakenError(f"participant {participant_id} is {participant.status}: {step.mend}")
            update_role(connection, participant_id, updated_at=now, **step.columns(now, by, reason))

        return await self._changed(participant_id, work)

    async def offboard(self, participant_id: int, reason: str) -> StoredRole:
        """Offboard a participant: its client is dead, nobody is told of it, its resources are removed (for ever)."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            demand_participant(connection, participant_id)
            remove_resources(connection, participant_id)
            gone = {"secret_hash": None, "offboarded_at": now, "updated_at": now, "status_because": reason}
            update_role(connection, participant_id, **gone)

        return await self._changed(participant_id, work)

    async def change_keys(self, participant_id: int, form: KeysForm) -> StoredRole:
        """Put one or two keys in the place of those that there are."""
        keys = await asyncio.to_thread(judged_keys, form)
        now = self._clock.now()

        def work(connection: Connection) -> None:
            refuse_taken(connection, keys, (), demand_participant(connection, participant_id))
            replace_keys(connection, participant_id, keys)
            update_role(connection, participant_id, updated_at=now)

        return await self._changed(participant_id, work)

    async def amend(self, participant_id: int, form: AmendmentForm) -> StoredRole:
        """Change what is not a key. The certificates have to be right for the base URL, whichever of them changes."""
        now = self._clock.now()
        columns = judged_organisation(form)

        def work(connection: Connection) -> None:
            participant = demand_participant(connection, participant_id)
            if form.base_url is not None or form.tls_certificates is not None:
                _move(connection, participant, form, now)
            if columns:
                _amend_organisation(connection, participant.organisation.id, {**columns, "updated_at": now})
            update_role(connection, participant_id, updated_at=now)

        return await self._changed(participant_id, work)

    async def rotate_secret(self, participant_id: int) -> Credentials:
        """Give a participant's client a new secret; the former one is dead at once."""
        secret = new_secret()
        hashed = await self._hasher.hash(secret)
        now = self._clock.now()

        def work(connection: Connection) -> None:
            demand_participant(connection, participant_id)
            update_role(connection, participant_id, secret_hash=hashed, updated_at=now)

        return Credentials(await self._changed(participant_id, work), secret)

    async def _changed(self, participant_id: int, work: Callable[[Connection], None]) -> StoredRole:
        def change(connection: Connection) -> StoredRole:
            work(connection)
            changed = load_role(connection, participant_id)
            assert changed is not None
            return changed

        return await self._act(change)

    async def _act(self, work: Callable[[Connection], T]) -> T:
        result = await self._book.change(work)
        await self._refresh()
        return result


def _move(connection: Connection, participant: StoredRole, form: AmendmentForm, now: datetime) -> None:
    given = form.tls_certificates
    pems = [one.pem for one in participant.certificates] if given is None else given
    base_url, certificates = judged_address(form.base_url or participant.base_url, pems, now)
    refuse_taken(connection, (), certificates, participant)
    replace_certificates(connection, participant.id, certificates)
    update_role(connection, participant.id, base_url=base_url)


def _amend_organisation(connection: Connection, organisation_id: int, columns: dict[str, Any]) -> None:
    connection.execute(update(ORGANISATIONS).where(ORGANISATIONS.c.id == organisation_id).values(**columns))
