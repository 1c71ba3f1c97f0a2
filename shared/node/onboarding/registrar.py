"""The registrar: carries out what an operator wants done with participants, keys and certificates.

Each method is one transaction, and what it changes counts when it returns: for the next message on every connection of
this process, and in other processes on the same database within `REFRESH_SECONDS`. Where files of ours do not fit
together, each raises `NotInForceError` after the change is stored; it counts as far as it can, and in full later.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from shared.clock import Clock
from shared.node.directory import Directory
from shared.node.identity import Identity, IdentityError
from shared.node.ids import new_id
from shared.node.journal import Journal
from shared.node.onboarding.certificates import checked_pair
from shared.node.onboarding.changes import key_named, with_key
from shared.node.onboarding.fields import collected_errors
from shared.node.onboarding.form import OnboardingForm, form_of, record_of
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import KeyRecord, OnboardingError, ParticipantRecord, TakenError, thumbprint_of
from shared.node.onboarding.register import blocked_kids, load_record, offboard, record_to_change, save_record
from shared.node.onboarding.requested_changes import Change
from shared.storage.schema import take_turns
from shared.transport.tls_files import TlsConfigurationError, checked_leaf

T = TypeVar("T")

ONBOARDED: Final = "onboarded"
MADE_HERE: Final = "made here"
RENEWED: Final = "renewed"


class NotInForceError(Exception):
    """The change is stored, but not yet in force everywhere in this process; the message says why."""


class Registrar:
    """Onboards, changes and offboards participants, and looks after our own keys and certificates."""

    def __init__(
        self,
        *,
        journal: Journal,
        directory: Directory,
        identity: Identity,
        own_keys: OwnKeys,
        clock: Clock,
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        """`refresh` brings directory, signing key and TLS trust in step with the register."""
        self._journal = journal
        self._directory = directory
        self._identity = identity
        self._own_keys = own_keys
        self._clock = clock
        self._refresh = refresh

    @property
    def own_form(self) -> OnboardingForm:
        """Our side of the onboarding: the form for counterparties, with the keys and the certificate of now."""
        if self._directory.own is None:
            raise OnboardingError(f"{self._identity.organisation_id}: not in its own register yet; start the node")
        return form_of(self._directory.own)

    async def onboard(self, form: OnboardingForm) -> ParticipantRecord:
        """Onboard a counterparty by its form.

        Raises:
            FormError: the form cannot be taken.
            TakenError: it is onboarded already, or something of it is another participant's.
        """
        now = self._clock.now()
        record = await asyncio.to_thread(record_of, form, now)
        if record.organisation_id == self._identity.organisation_id:
            raise TakenError(f"organisation_id: {record.organisation_id} is this node itself: give the counterparty's")
        await self._act(lambda connection: _onboard(connection, record, now))
        return record

    async def change(self, organisation_id: str, change: Change, reason: str) -> ParticipantRecord:
        """Change a participant, ourselves included.

        Raises:
            UnknownError: nobody of that id is onboarded.
            TakenError: it is ourselves, and we could not sign any more.
            OnboardingError, TakenError: as `change` and `save_record` say.
        """
        return await self._act(self._work_of(organisation_id, change, reason))

    async def offboard(self, organisation_id: str, reason: str) -> None:
        """Offboard a counterparty; its history stays.

        Raises:
            UnknownError: nobody of that id is onboarded.
            TakenError: it is ourselves.
        """
        if organisation_id == self._identity.organisation_id:
            raise TakenError(f"{organisation_id} is this node itself; end it instead")
        now = self._clock.now()
        await self._act(lambda connection: offboard(connection, organisation_id, now, reason))

    async def make_key(self, kid: str | None = None, reason: str = MADE_HERE) -> KeyRecord:
        """Make a further signing key of ours, as back-up; its private half is in a file before it is in the register.

        Raises:
            TakenError: two keys count already, or the kid has been used.
            IdentityError: the file cannot be written.
        """
        kid = kid or new_id()
        key = await asyncio.to_thread(self._own_keys.make, kid)
        work = self._work_of(self._identity.organisation_id, lambda own: with_key(own, key), reason)
        try:
            record = await self._journal.act(work)
        except OnboardingError:
            # Nothing else: after any other failure, and after the commit, the register may have it.
            self._own_keys.discard(kid)
            raise
        await self._follow()
        return key_named(record, kid)

    async def renew_certificates(self) -> list[str]:
        """Use the certificates in our files from now on; the former ones stay in the history.

        Return their thumbprints: of the one that we serve with, and of the one that we call with, if it is another.

        Raises:
            FormError, TlsConfigurationError: one cannot be used; the former ones stay in use.
        """
        now, own = self._clock.now(), self._identity
        leaves = [await asyncio.to_thread(checked_leaf, *files) for files in own.certificate_files]
        serving, *calling = (leaf.public_bytes(Encoding.PEM).decode() for leaf in leaves)

        def renewed(record: ParticipantRecord) -> ParticipantRecord:
            with collected_errors() as errors:
                certificates = checked_pair(serving, "".join(calling), record.base_url, now, errors)
            return record.model_copy(update={"tls_certificates": certificates})

        record = await self.change(own.organisation_id, renewed, RENEWED)
        return [thumbprint_of(pem) for pem in record.tls_certificates]

    def _work_of(self, organisation_id: str, change: Change, reason: str) -> Callable[[Connection], ParticipantRecord]:
        now = self._clock.now()

        def work(connection: Connection) -> ParticipantRecord:
            record = record_to_change(connection, organisation_id)
            changed = change(record)
            if organisation_id == self._identity.organisation_id and changed.keys != record.keys:
                self._own_keys.check(changed)
            save_record(connection, changed, now, reason)
            return changed

        return work

    async def _act(self, work: Callable[[Connection], T]) -> T:
        result = await self._journal.act(work)
        await self._follow()
        return result

    async def _follow(self) -> None:
        try:
            await self._refresh()
        except (IdentityError, TlsConfigurationError) as error:
            raise NotInForceError(f"It is stored, and counts in full when this is put right: {error}") from error


def _onboard(connection: Connection, record: ParticipantRecord, now: datetime) -> None:
    take_turns(connection)
    if load_record(connection, record.organisation_id) is not None:
        raise TakenError(
            f"organisation_id: {record.organisation_id} is onboarded already: change its keys, certificates or fields, "
            "or offboard it first"
        )
    blocked = blocked_kids(connection, record.organisation_id)
    for key in record.keys:
        if key.kid in blocked:
            raise TakenError(f"kid: {key.kid} is BLOCKED, and stays so: make a new key pair and give it a new kid")
    save_record(connection, record, now, ONBOARDED)
