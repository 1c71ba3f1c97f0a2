"""Changes of a member's keys and certificates at the registry of OCEN 4.0, which is told before they are used.

A node that is shown a kid or a certificate which it does not know asks the registry, but not again within `LOOK_UP`:
so something new is used only when the registry has had it for that long, and no node takes it for a stranger's.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.network import MEMBERSHIP_FILE, current_member, read_membership
from sandbox.registry_ops import RegistryOps
from sandbox.running import connected_registry, read_run
from sandbox.settings import Folders
from shared.clock import Clock, SystemClock
from shared.node.onboarding.record import MOST_CERTIFICATES, MOST_KEYS, thumbprint_of
from shared.node.registry.cache import USUAL_TIMES
from shared.protocol.participants import KeyStatus

LOOK_UP: Final = USUAL_TIMES.look_up_pace.per


class Enrolment:
    """What the registry has of one member.

    Keys are given as the operator plane of the member's node lists them.

    Raises (all methods): SandboxError when the registry says no or does not answer, or what is demanded is not so.
    """

    def __init__(
        self,
        registry: RegistryOps,
        organisation_id: str,
        known: Record,
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`known` is the participant as the registry shows it; `wait` sleeps for so many seconds."""
        self._registry = registry
        self._organisation_id = organisation_id
        self._known = known
        self._clock = clock or SystemClock()
        self._wait = wait

    @property
    def kids(self) -> list[str]:
        """The kids that count in the network, that of the key in use first."""
        return [key["kid"] for key in self._known["keys"]]

    def check_room_for_key(self, keys: Sequence[Record]) -> None:
        """Refuse a third key, before it is made: two of the member's keys count already."""
        counting = _counting(keys)
        if len(counting) >= MOST_KEYS:
            kids, hint = " and ".join(key["kid"] for key in counting), f"ocen-sandbox keys retire {counting[-1]['kid']}"
            raise SandboxError(
                f"the registry takes no third key of {self._organisation_id}: {kids} count already, first `{hint}`"
            )

    def take_keys(self, keys: Sequence[Record]) -> None:
        """Give the registry the keys that count at the node, and no others."""
        counting = _counting(keys)
        if [key["kid"] for key in counting] == self.kids:
            return
        form: dict[str, str] = {}
        for prefix, key in zip(("", "backup_"), counting, strict=False):
            form |= {f"{prefix}public_key": key["pem"], f"{prefix}kid": key["kid"]}
        with self._hint_to_join("keys"):
            self._known = self._registry.change_keys(self._known["id"], form)

    def check_room_for_certificates(self, pems: Sequence[str]) -> None:
        """Refuse certificates that the registry has no room for, before anybody is told of them."""
        known = self._certificates
        if len({*known, *map(thumbprint_of, pems)}) > max(MOST_CERTIFICATES, len(known)):
            listed = ", ".join(thumbprint[:16] for thumbprint in known)
            hint = f"ocen-sandbox certificates remove SHA256 --of {self._organisation_id}"
            found = f"the registry has {len(known)} certificates of {self._organisation_id} already ({listed})"
            raise SandboxError(f"{found}: first `{hint}` for one that is not shown any more")

    def add_certificates(self, pems: Sequence[str]) -> None:
        """Register TLS certificates beside those that there are."""
        if new := [pem for pem in pems if thumbprint_of(pem) not in self._certificates]:
            self._amend([*self._certificates.values(), *new])

    def check_not_last_certificate(self, thumbprint: str) -> None:
        """Refuse to remove the only certificate, or the only one for its use, before anybody is told of it."""
        left = self._without(thumbprint)
        uses_left = {use for certificate in left for use in certificate["uses"]}
        if lost := [use for listed in self._listed for use in listed["uses"] if use not in uses_left]:
            hint = f"ocen-sandbox registry join {self._organisation_id}"
            which = f"only certificate for {lost[0]}" if left else "only certificate"
            found = f"{thumbprint[:16]} is the {which} of {self._organisation_id} in the registry"
            raise SandboxError(f"{found}: `{hint}` brings it the one that is shown now")

    def remove_certificate(self, thumbprint: str) -> None:
        """Take out a certificate, named by its thumbprint or the first characters of it, if the registry has it."""
        left = self._without(thumbprint)
        if len(left) < len(self._listed):
            with self._hint_to_join("certificates"):
                self._amend([certificate["pem"] for certificate in left])

    def await_look_ups(self, tell: Callable[[str], None]) -> None:
        """Wait until nodes that asked before the last change may ask again; `tell` gets a sentence before a wait."""
        age = self._clock.now() - datetime.fromisoformat(self._known["updated_at"])
        seconds = min((LOOK_UP - age).total_seconds(), LOOK_UP.total_seconds())
        if seconds > 0:
            tell(f"Waiting {seconds:.0f} s: who asked the registry just before would refuse what is new ...")
            self._wait(seconds)

    @property
    def _listed(self) -> list[Record]:
        listed: list[Record] = self._known["tls_certificates"]
        return listed

    @property
    def _certificates(self) -> dict[str, str]:
        return {certificate["thumbprint"]: certificate["pem"] for certificate in self._listed}

    def _without(self, thumbprint: str) -> list[Record]:
        begin = thumbprint.lower().replace(":", "")
        return [certificate for certificate in self._listed if not certificate["thumbprint"].startswith(begin)]

    def _amend(self, pems: list[str]) -> None:
        self._known = self._registry.amend(self._known["id"], tls_certificates=pems)

    @contextmanager
    def _hint_to_join(self, what: str) -> Iterator[None]:
        try:
            yield
        except SandboxError as error:
            hint = f"ocen-sandbox registry join {self._organisation_id}"
            raise SandboxError(f"{error}; it still has the former {what} of {self._organisation_id}: {hint}") from error


@contextmanager
def enrolled(folders: Folders, organisation_id: str) -> Iterator[Enrolment | None]:
    """Give the enrolment of an organisation; None if no registry runs, or the organisation is no member of it.

    Raises SandboxError if it is a member, and the registry does not answer.
    """
    run = read_run(folders)
    if run is None or not run.speaks_v4 or not (run.certs / organisation_id / MEMBERSHIP_FILE).exists():
        yield None
        return
    member = read_membership(run.certs / organisation_id)
    with connected_registry(folders) as registry:
        known = current_member(registry, member)
        yield Enrolment(registry, organisation_id, known) if known is not None else None


def _counting(keys: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the keys that count, the active one first: the registry's answer has room for one alone."""
    return sorted((dict(key) for key in keys if KeyStatus(key["status"]).counts), key=lambda key: str(key["status"]))
