"""The registrar: carries out an operator's changes of participants. Each method is one transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, update

from registry_app.auth.client_secrets import SecretHasher, new_secret
from registry_app.registration import (
    AmendmentForm,
    KeysForm,
    RegistrationForm,
    judged,
    judged_organisation,
    with_address,
    with_keys,
)
from registry_app.status_changes import StatusChange
from registry_app.store.database import Database
from registry_app.store.entry import enter, save
from registry_app.store.roles import (
    StoredRole,
    demand_participant,
    load_role,
    remove_resources,
    update_role,
)
from registry_app.store.tables import NETWORK_REGISTER, ORGANISATIONS
from shared.clock import Clock
from shared.node.ids import new_id
from shared.node.onboarding.record import TakenError
from shared.node.onboarding.register import offboard, record_to_change
from shared.node.onboarding.requested_changes import Change

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

    def __init__(
        self, database: Database, hasher: SecretHasher, clock: Clock, refresh: Callable[[], Awaitable[None]]
    ) -> None:
        """`refresh` brings the TLS trust in step with the register."""
        self._database = database
        self._hasher = hasher
        self._clock = clock
        self._refresh = refresh

    async def register(self, form: RegistrationForm) -> Credentials:
        """Register a participant by its form: it has APPLIED, and its client gets tokens when it is approved."""
        now = self._clock.now()
        record = await asyncio.to_thread(judged, form, now)
        about = {"description": form.description, "website": form.website}
        organisation = {**about, "email": record.spoc_email, "phone": record.spoc_phone}
        secret = new_secret()
        client = {"client_id": new_id(), "secret_hash": await self._hasher.hash(secret)}
        participant = await self._act(lambda connection: enter(connection, record, organisation, client, now))
        return Credentials(participant, secret)

    async def step(self, participant_id: int, step: StatusChange, by: str, reason: str) -> StoredRole:
        """Change a participant's status: approve, suspend or reject it."""

        def work(connection: Connection, participant: StoredRole, now: datetime) -> None:
            if participant.status not in step.begins:
                raise TakenError(f"participant {participant_id} is {participant.status}: {step.hint}")
            update_role(connection, participant_id, now, **step.columns(now, by, reason))

        return await self._changed(participant_id, work)

    async def offboard(self, participant_id: int, reason: str) -> StoredRole:
        """Offboard a participant for ever: it gets no tokens, no look-up finds it, its resources are removed."""

        def work(connection: Connection, _: StoredRole, now: datetime) -> None:
            remove_resources(connection, participant_id)
            offboard(connection, str(participant_id), now, reason, NETWORK_REGISTER)
            update_role(connection, participant_id, now, secret_hash=None, status_because=reason)

        return await self._changed(participant_id, work)

    async def change_keys(self, participant_id: int, form: KeysForm) -> StoredRole:
        """Replace the present keys by one or two others."""
        change = await asyncio.to_thread(with_keys, form)

        def work(connection: Connection, participant: StoredRole, now: datetime) -> None:
            _change(connection, participant, now, change)

        return await self._changed(participant_id, work)

    async def amend(self, participant_id: int, form: AmendmentForm) -> StoredRole:
        """Change what is not a key. The certificates have to be right for the base URL, whichever of them changes."""
        columns = judged_organisation(form)

        def work(connection: Connection, participant: StoredRole, now: datetime) -> None:
            if form.base_url is not None or form.tls_certificates is not None:
                _change(connection, participant, now, with_address(form, now))
            if columns:
                own = update(ORGANISATIONS).where(ORGANISATIONS.c.id == participant.organisation.id)
                connection.execute(own.values({**columns, "updated_at": now}))
            update_role(connection, participant_id, now)

        return await self._changed(participant_id, work)

    async def rotate_secret(self, participant_id: int) -> Credentials:
        """Give a participant's client a new secret; the former one is invalid at once."""
        secret = new_secret()
        hashed = await self._hasher.hash(secret)

        def work(connection: Connection, _: StoredRole, now: datetime) -> None:
            update_role(connection, participant_id, now, secret_hash=hashed)

        return Credentials(await self._changed(participant_id, work), secret)

    async def _changed(
        self, participant_id: int, work: Callable[[Connection, StoredRole, datetime], None]
    ) -> StoredRole:
        now = self._clock.now()

        def change(connection: Connection) -> StoredRole:
            work(connection, demand_participant(connection, participant_id), now)
            changed = load_role(connection, participant_id)
            assert changed is not None
            return changed

        return await self._act(change)

    async def _act(self, work: Callable[[Connection], T]) -> T:
        result = await self._database.change(work)
        await self._refresh()
        return result


def _change(connection: Connection, participant: StoredRole, now: datetime, change: Change) -> None:
    save(connection, change(record_to_change(connection, str(participant.id), NETWORK_REGISTER)), now)
