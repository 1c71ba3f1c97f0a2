"""Who takes part: organisations, their roles, certificates, addresses and keys (OCEN v3 Security, onboarding)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial

from shared.ip_addresses import Network, lies_in
from shared.protocol.messages import Role
from shared.protocol.signing import VerificationKey


class KeyStatus(StrEnum):
    """Whether signatures by a key count: ACTIVE and BACKUP keys do, at any time.

    A RETIRED key has been replaced in good order and may be taken back; a BLOCKED one, which somebody else may have,
    never counts again.
    """

    ACTIVE = "ACTIVE"
    BACKUP = "BACKUP"
    BLOCKED = "BLOCKED"
    RETIRED = "RETIRED"

    def __init__(self, name: str) -> None:
        self.counts = name in ("ACTIVE", "BACKUP")
        """Whether a signature by a key of this status is accepted now."""


class EnvelopeMember(StrEnum):
    """The member that carries the signed header: `header` in the OCEN documents, `protected` in RFC 7515 s7.2.2."""

    HEADER = "header"
    PROTECTED = "protected"


class Dialect(StrEnum):
    """How a peer of OCEN 4.0 signs and acknowledges.

    STRICT: as the documents say. AUTHSTARTER: it is built on the official starter, whose signatures lack `crit`, may
    lack a kid, stand in another header, and whose acks are not signed.
    """

    STRICT = "strict"
    AUTHSTARTER = "authstarter"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One verification key of a participant under its kid; the algorithm is bound to the key, never to a message."""

    kid: str
    verifier: VerificationKey
    status: KeyStatus = KeyStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Participant:
    """One organisation as it was onboarded.

    Attributes:
        id: what messages name it by: `metadata.orgId` in v3, in v4 the id of its role (`originatorParticipantId`),
            which the registry gives for every role that an organisation has.
        base_url: where its messages go; a message's path is appended.
        certificates: thumbprints (SHA-256 of the DER certificate, lower-case hex) of its TLS certificates.
        keys: one or two keys that count, and any that were blocked or retired.
        networks: addresses that it calls from; none listed means that addresses are not judged.
        judges_addresses: whether the list is applied.
        envelope_member: how the signed header is named in v3 messages that we begin.
        dialect: how it signs in v4.
        organisation_id: in v4 the id of the organisation whose role it is; empty where nobody said so.
        client_id: in v4 the client that the Auth Service gives its tokens to; empty where nobody said so.
        by_kid: the keys, also those that no longer count.
        calls_from: tells whether an address is one that the participant listed; raises ValueError for what is none.
    """

    id: str
    name: str
    role: Role
    base_url: str
    certificates: frozenset[str]
    keys: tuple[PublicKey, ...]
    networks: tuple[Network, ...] = ()
    judges_addresses: bool = True
    envelope_member: EnvelopeMember = EnvelopeMember.HEADER
    dialect: Dialect = Dialect.STRICT
    organisation_id: str = ""
    client_id: str = ""
    by_kid: Mapping[str, PublicKey] = field(init=False, repr=False, compare=False)
    calls_from: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_kid", {key.kid: key for key in self.keys})
        judged = self.networks if self.judges_addresses else ()
        calls_from = lru_cache(maxsize=64)(partial(_is_listed, judged))  # reading an address takes longer than a check
        object.__setattr__(self, "calls_from", calls_from)

    @property
    def counting_keys(self) -> list[PublicKey]:
        """The keys whose signatures count."""
        return [key for key in self.keys if key.status.counts]


def _is_listed(networks: Sequence[Network], address: str) -> bool:
    return not networks or lies_in(address, networks)
