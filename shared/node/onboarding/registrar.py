"""The registrar: carries out what an operator wants done with participants, keys and certificates.

Each method is one transaction, and what it changes counts when it returns: for the next message on every connection of
this process, and in other processes on the same database within `REFRESH_SECONDS`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from shared.node.clock import Clock
from shared.node.directory import Directory
from shared.node.identity import Identity, read_text
from shared.node.ids import new_id
from shared.node.journal import Journal
from shared.node.onboarding.certificates import checked_certificate, names_host
from shared.node.onboarding.changes import (
    with_active,
    with_certificate,
    with_key,
    without_certificate,
    without_key,
)
from shared.node.onboarding.fields import Flaw, checked_addresses, checked_base_url, checked_email, checked_phone
from shared.node.onboarding.form import FormError, OnboardingForm, form_of, record_of
from shared.node.onboarding.key_forms import checked_key
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import (
    KeyRecord,
    OnboardingError,
    ParticipantRecord,
    TakenError,
    leaf_of,
    thumbprint_of,
)
from shared.node.onboarding.register import load_record, offboard, save_record
from shared.protocol.participants import KeyStatus

T = TypeVar("T")

Change = Callable[[ParticipantRecord], ParticipantRecord]

ONBOARDED: Final = "onboarded"
MADE_HERE: Final = "made here"
RENEWED: Final = "renewed"


class UnknownParticipantError(OnboardingError):
    """Nobody of that organisation id is onboarded."""


class Registrar:
    """Onboards, changes and offboards participants, and looks after our own keys and certificate."""

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
            UnknownParticipantError: nobody of that id is onboarded.
            TakenError: it is ourselves, and we could not sign any more.
            OnboardingError, TakenError: as `change` and `save_record` say.
        """
        now = self._clock.now()

        def work(connection: Connection) -> ParticipantRecord:
            changed = change(_known(connection, organisation_id))
            if organisation_id == self._identity.organisation_id:
                self._own_keys.check(changed)
            save_record(connection, changed, now, reason)
            return changed

        return await self._act(work)

    async def offboard(self, organisation_id: str, reason: str) -> None:
        """Offboard a counterparty; its history stays.

        Raises:
            UnknownParticipantError: nobody of that id is onboarded.
            TakenError: it is ourselves.
        """
        if organisation_id == self._identity.organisation_id:
            raise TakenError(f"{organisation_id} is this node itself; end it instead")
        now = self._clock.now()

        def work(connection: Connection) -> None:
            _known(connection, organisation_id)
            offboard(connection, organisation_id, now, reason)

        await self._act(work)

    async def make_key(self, kid: str | None = None) -> KeyRecord:
        """Make a further signing key of ours, as back-up; its private half is in a file before it is in the register.

        Raises:
            TakenError: two keys count already, or the kid has been used.
            IdentityError: the file cannot be written.
        """
        kid = kid or new_id()
        key = await asyncio.to_thread(self._own_keys.make, kid)
        try:
            record = await self.change(self._identity.organisation_id, lambda own: with_key(own, key), MADE_HERE)
        except OnboardingError:
            self._own_keys.discard(kid)
            raise
        return next(one for one in record.keys if one.kid == kid)

    async def renew_certificate(self) -> str:
        """Show the certificate that lies in our file from now on, and return its thumbprint; the former one is history.

        Raises:
            OnboardingError, IdentityError, TlsConfigurationError: it cannot be used; the former one stays in use.
        """
        pem = await asyncio.to_thread(read_text, self._identity.tls_certificate)
        try:
            thumbprint = thumbprint_of(pem)
        except ValueError as error:
            raise OnboardingError(
                f"{self._identity.tls_certificate} holds no certificate in PEM: put it there"
            ) from error

        def renewed(own: ParticipantRecord) -> ParticipantRecord:
            record = with_certificate(own.model_copy(update={"tls_certificates": own.tls_certificates[-1:]}), pem)
            former = [one for one in map(thumbprint_of, record.tls_certificates) if one != thumbprint]
            return without_certificate(record, former[0]) if former else record

        await self.change(self._identity.organisation_id, renewed, RENEWED)
        return thumbprint

    async def _act(self, work: Callable[[Connection], T]) -> T:
        result = await self._journal.act(work)
        await self._refresh()
        return result


def amended(fields: Mapping[str, Any]) -> Change:
    """Return the change that gives a participant these fields.

    The change raises OnboardingError where a field cannot have its value.
    """

    def change(record: ParticipantRecord) -> ParticipantRecord:
        flaws: list[Flaw] = []
        checked = dict(fields)
        judged = {
            "base_url": checked_base_url,
            "ip_addresses": checked_addresses,
            "spoc_email": checked_email,
            "spoc_phone": checked_phone,
        }
        checked |= {name: judge(checked[name], flaws) for name, judge in judged.items() if name in checked}
        if not flaws and "base_url" in checked:
            flaws += _unnamed_host(record, checked["base_url"])
        if flaws:
            raise FormError(flaws)
        return record.model_copy(update=checked)

    return change


def _unnamed_host(record: ParticipantRecord, base_url: str) -> list[Flaw]:
    if any(names_host(leaf_of(pem), base_url) for pem in record.tls_certificates):
        return []
    found = f"no certificate of {record.organisation_id} names the host of {base_url}"
    return [Flaw("base_url", found, "register one that does first")]


def standing(kid: str, status: KeyStatus) -> Change:
    """Return the change that makes a key ACTIVE, RETIRED or BLOCKED."""
    if status is KeyStatus.ACTIVE:
        return lambda record: with_active(record, kid)
    return lambda record: without_key(record, kid, status)


def new_key(material: str, kid: str) -> KeyRecord:
    """Read a public key that is to be added.

    Raises:
        FormError: key or kid cannot be used.
    """
    flaws: list[Flaw] = []
    key = checked_key("public_key", "kid", material, kid.strip(), flaws)
    if key is None:
        raise FormError(flaws)
    return key


def new_certificate(pem: str, base_url: str, now: datetime) -> str:
    """Read a TLS certificate that is to be added; `now` (aware) is when it has to be valid.

    Raises:
        FormError: it would be refused in a handshake.
    """
    flaws: list[Flaw] = []
    checked = checked_certificate(pem, base_url, now, flaws)
    if flaws:
        raise FormError(flaws)
    return checked


def _onboard(connection: Connection, record: ParticipantRecord, now: datetime) -> None:
    if load_record(connection, record.organisation_id) is not None:
        raise TakenError(
            f"organisation_id: {record.organisation_id} is onboarded already: change its keys, certificates or fields, "
            "or offboard it first"
        )
    save_record(connection, record, now, ONBOARDED)


def _known(connection: Connection, organisation_id: str) -> ParticipantRecord:
    record = load_record(connection, organisation_id)
    if record is None:
        raise UnknownParticipantError(f"{organisation_id} is not onboarded; GET /participants lists who is")
    return record
