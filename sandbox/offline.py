"""Signing and verifying without any node: for a team that wants its own code to agree with ours, byte by byte."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sandbox.errors import SandboxError
from shared.catalogue.table import CATALOGUE, find_message
from shared.protocol.checks.signature import signature_verifies
from shared.protocol.detached import SIGNATURE_HEADER
from shared.protocol.encoding import EncodingError, parse_json_object
from shared.protocol.messages import MessageType, Role
from shared.protocol.participants import Dialect, Participant, PublicKey
from shared.protocol.phases import NO_PEER, Opened, WireMessage
from shared.protocol.profiles import PROFILES, Judged, Profile, SignatureVariant, SignedBody
from shared.protocol.signing import KeyMaterialError, VerificationKey, load_private_key, load_public_key
from shared.protocol.tokens import TOKEN_ALGORITHM, Issuer, parse_token
from shared.protocol.verification import Need, Outcome, Verification

Holder = Callable[[str], Participant | None]

NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

_OWNER: Final = "its owner"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of verifying an envelope from a file: the steps, and its content as far as it could be read."""

    judged: Judged

    @property
    def verification(self) -> Verification:
        """The verdict, and each step that led to it."""
        return self.judged.verification

    @property
    def header(self) -> dict[str, Any]:
        """The signed header, as far as it can be read."""
        return dict(self.judged.opened.header)

    @property
    def payload(self) -> bytes:
        """The payload, as far as it can be read."""
        return self.judged.opened.payload

    @property
    def signature_holds(self) -> bool:
        """Whether the signature is right, whatever else is not."""
        passed = {step.check.name for step in self.verification.steps if step.outcome is Outcome.PASSED}
        return signature_verifies.name in passed

    def count(self, outcome: Outcome) -> int:
        """Count the checks with that outcome."""
        return sum(step.outcome is outcome for step in self.verification.steps)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        problem = self.verification.problem
        return {
            "passed": self.verification.passed,
            "error": problem.code if problem else None,
            "meaning": problem.meaning if problem else None,
            "header": self.header,
            "payload": self.payload.decode("utf-8", "replace"),
            "steps": [step.as_dict() for step in self.verification.steps],
        }


@dataclass(frozen=True, slots=True)
class HttpParts:
    """What HTTP headers add to a body of OCEN 4.0: its signature, and its token, which `issuer` must have made."""

    signature: str | None = None
    token: str = ""
    issuer: Issuer | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that are judged."""
        given = {} if self.signature is None else {SIGNATURE_HEADER: self.signature}
        return given | ({"authorization": f"Bearer {self.token}"} if self.token else {})


NO_HTTP_PARTS: Final = HttpParts()


def profile_named(name: str) -> Profile:
    """Return the profile of that name. Raises SandboxError if there is none."""
    if name not in PROFILES:
        raise SandboxError(f"there is no profile {name}: choose from {', '.join(PROFILES)}")
    return PROFILES[name]


def message_named(name: str) -> MessageType:
    """Return the message of that name. Raises SandboxError if the catalogue has none."""
    message = find_message(name)
    if message is None:
        known = ", ".join(message.full_name for message in CATALOGUE)
        raise SandboxError(f"there is no message {name}: choose from {known}")
    return message


def sign(payload: bytes, profile: Profile, private_key: str, kid: str, variant: SignatureVariant) -> SignedBody:
    """Sign exactly these payload bytes, a line break at their end included.

    Raises SandboxError if the payload is not one strict JSON object. Raises KeyMaterialError if the key cannot be used.
    """
    try:
        parse_json_object(payload)
    except EncodingError as error:
        raise SandboxError(f"the payload: {error}; give one JSON object in UTF-8, no member twice") from error
    return profile.sign(payload, load_private_key(private_key, kid, profile.algorithm), variant)


def holder_of(public_key: str, profile: Profile, kid: str | None, dialect: Dialect) -> Holder:
    """Return who holds which kid: one nameless participant with this key, and in v4 of this dialect.

    Without `kid`, a JWK and the keys of a JWK set count under the kids that they bear themselves, any other key
    under whatever kid an envelope names. A signature without a kid is asked for as one with an empty kid: if there is
    one key only, its holder is meant.

    Raises (here, or when the holder is asked for):
        KeyMaterialError: the key cannot be used.
    """
    kids = _own_kids(public_key) if kid is None else [kid]

    def holder(named: str) -> Participant | None:
        if (len(kids) > 1 and named not in kids) or (kids and named not in ("", *kids)):
            return None
        own = named or "".join(kids)
        return _holder(own, load_public_key(public_key, profile.algorithm, own or None), dialect)

    if len(kids) <= 1:  # of a set with several keys only the one that is named has to be usable
        load_public_key(public_key, profile.algorithm, kids[0] if kids else None)
    return holder


def issuer_of(public_key: str, url: str, token: str) -> Issuer:
    """Return the Auth Service at that URL with the key that the token names: a JWK, a JWK set, or a key in PEM.

    Raises KeyMaterialError if the key cannot be used.
    """
    try:
        kid = parse_token(token).kid
    except EncodingError:
        kid = ""  # what is wrong with the token is a check's to say
    kids = _own_kids(public_key)
    if kids and kid not in kids:
        return Issuer(url)
    return Issuer(url, {kid: load_public_key(public_key, TOKEN_ALGORITHM, kid)})


def verify(
    body: bytes,
    profile: Profile,
    holder: Holder,
    *,
    message_type: MessageType | None,
    at: datetime | None,
    http: HttpParts = NO_HTTP_PARTS,
) -> Judgement:
    """Judge a message; what needs a connection, a directory or a journal is not judged.

    Whether it fits its type is judged with a `message_type`, whether it is fresh with a time `at` (aware). `http` is
    judged in v4: the signature, and the token with the issuer that has to have made it.
    """
    opened = _opened(body, profile, http, message_type, at)
    given = {Need.ISSUER: http.issuer, Need.CLOCK: at, Need.MESSAGE_TYPE: message_type}
    provided = {Need.KEY, Need.SIGNATURE} | {need for need, value in given.items() if value is not None}
    return Judgement(profile.judge_offline(opened, holder, frozenset(provided), http.issuer))


def verify_ack(body: bytes, profile: Profile, holder: Holder, *, http: HttpParts = NO_HTTP_PARTS) -> Judgement:
    """Judge an acknowledgement, whose payload has no metadata of its own."""
    opened, callee = _opened(body, profile, http), holder("")
    is_unsigned = callee is not None and profile.may_be_unsigned(callee, opened)
    provided = {Need.KEY} if is_unsigned else {Need.KEY, Need.SIGNATURE}
    return Judgement(profile.judge_ack(opened, holder, frozenset(provided)))


def _opened(
    body: bytes, profile: Profile, http: HttpParts, message_type: MessageType | None = None, at: datetime | None = None
) -> Opened:
    wire = WireMessage("", "", http.headers, body, NO_PEER)
    return profile.opened(wire, message_type, at or NO_TIME)


def _own_kids(public_key: str) -> list[str]:
    if not public_key.lstrip().startswith("{"):
        return []
    try:
        members = parse_json_object(public_key.strip().encode())
    except EncodingError as error:
        raise KeyMaterialError(f"the JWK does not parse: {error}") from error
    keys = members.get("keys", [members])
    kids = [key.get("kid") for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
    return [kid for kid in kids if isinstance(kid, str)]


def _holder(kid: str, key: VerificationKey, dialect: Dialect) -> Participant:
    return Participant(
        id=_OWNER,
        name=_OWNER,
        role=Role.LENDER,
        base_url="",
        certificates=frozenset(),
        keys=(PublicKey(kid, key),),
        dialect=dialect,
    )
