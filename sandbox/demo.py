"""The demo: its steps in each version of OCEN, and each step as the journals of both nodes have it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sandbox.content import CREATE, TRIGGER, VERIFY, example_for
from sandbox.following import Passage, Record, finished_delivery, known_message, passage
from sandbox.network import Membership
from sandbox.ops_client import OpsClient
from sandbox.registry_ops import RegistryOps
from sandbox.settings import LENDERS, NodeName, OcenVersion
from shared.catalogue.table import get_message
from shared.protocol.messages import MessageType
from shared.protocol.profiles import V3, V4, Profile

PATIENCE_SECONDS: Final = 15.0
"""Seconds that a step of the demo may take."""

_OTP: Final = re.compile(r"\b\d{6}\b")


class Change(NamedTuple):
    """What is changed in a message after signing: a member, its value when it was signed, and its value now."""

    member: str
    signed: str
    now: str


class Script(NamedTuple):
    """What differs between the demos of two versions of OCEN.

    Attributes:
        tampered: the message that is sent once more, changed after signing.
        next_commands: further commands to look at next, with a note on each.
        gist: members of payloads that are shown; None shows all.
    """

    profile: Profile
    tampered: str
    change: Change
    next_commands: Mapping[str, str]
    gist: frozenset[str] | None = None

    @property
    def has_registry(self) -> bool:
        """Whether token and look-up come first, an application to every lender, and the heartbeat last."""
        return self.profile is V4

    def message(self, name: str) -> MessageType:
        """Return a message of this version by its name."""
        return get_message(self.profile.name, name)


_GIST: Final = """productNetworkId loanApplicationId loanApplicationStatus requestedAmount currency appToken
    otpSessionKey maskedPhoneNumber otp status"""

SCRIPTS: Final[Mapping[OcenVersion, Script]] = {
    OcenVersion.V3: Script(
        V3,
        TRIGGER,
        Change("loanApplicationIds", "APPL-2031-000417", "APPL-2031-999999"),
        {"kit --org ACME --role LSP --out acme/": "keys and clients for your own LSP"},
    ),
    OcenVersion.V4: Script(
        V4,
        CREATE,
        Change("requestedAmount", "250000", "950000"),
        {"registry list": "who takes part in the network", "registry events": "what they have reported"},
        frozenset(_GIST.split()),
    ),
}


class DemoFailedError(Exception):
    """A step of the demo did not hold; the text says which, and what came instead."""


@dataclass(frozen=True, slots=True)
class Sms:
    """The text with the OTP, as the lender's SMS inbox has it."""

    recipient: str
    text: str
    otp: str


Scene = Passage | Sms


@dataclass(frozen=True, slots=True)
class Demo:
    """The exchanges of the LSP with the lenders that run here, the first of which gives the loan.

    Attributes:
        tell: is given each scene as it comes.
        members: what the registry knows the nodes by; none in OCEN v3.
        loan_application_id: what the messages of OCEN 4.0 are about.

    Raises (all methods):
        DemoFailedError: a step does not hold.
        SandboxError: a node does not answer, or does not send.
    """

    pair: Mapping[NodeName, OpsClient]
    script: Script
    tell: Callable[[Scene], None]
    members: Mapping[NodeName, Membership] = field(default_factory=dict)
    loan_application_id: str = ""

    def apply(self) -> dict[NodeName, str]:
        """Send the same application to every lender, in a message of its own each; return their requestIds."""
        content = self._content(CREATE)
        return {lender: self._begin(lender, CREATE, content) for lender in LENDERS if lender in self.members}

    def created(self, lender: NodeName, request_id: str) -> None:
        """Tell how a lender takes the application."""
        answer = self._follow(lender, CREATE, request_id)
        status = answer.content["loanApplications"][0]["loanApplicationStatus"]
        if status != "PROCESSING":
            raise DemoFailedError(f"the {lender.label} says {status} to the application, not PROCESSING")

    def accepted(self) -> None:
        """Tell how the borrower accepts the loan of the first lender, by an OTP."""
        lender = NodeName.LENDER
        offered = self._follow(lender, TRIGGER, self._begin(lender, TRIGGER, self._content(TRIGGER)))
        otp = self._otp(lender, offered.request_id)
        content = self._content(VERIFY)
        session = offered.content["credBlock"]["data"]["otpSessionKey"]
        content["credBlock"]["data"] = {"otpSessionKey": session, "otp": otp}
        verdict = self._follow(lender, VERIFY, self._begin(lender, VERIFY, content))
        status = verdict.content["credBlock"]["data"]["status"]
        if status != "SUCCESS":
            raise DemoFailedError(f"the lender's verdict on its own OTP is {status}, not SUCCESS")

    def _content(self, name: str) -> dict[str, Any]:
        return example_for(self.script.message(name), self.members.get(NodeName.LSP), self.loan_application_id)

    def _begin(self, lender: NodeName, name: str, content: Mapping[str, Any]) -> str:
        """Let the LSP send a request to a lender, as the version names it; return its requestId."""
        known = self.members.get(lender)
        address = known.participant_id if known else self.pair[lender].identity()["organisation_id"]
        return str(self.pair[NodeName.LSP].send(self.script.message(name).full_name, address, content)["request_id"])

    def _follow(self, lender: NodeName, name: str, request_id: str) -> Passage:
        """Tell how a request that the LSP has sent goes on; return the lender's answer."""
        message = self.script.message(name)
        answer = message.answered_by.full_name if message.answered_by else ""
        self._passage(NodeName.LSP, lender, request_id, message.full_name)
        return self._passage(lender, NodeName.LSP, request_id, answer)

    def _otp(self, lender: NodeName, request_id: str) -> str:
        notices = self.pair[lender].notices(request_id)
        otp = _OTP.search(notices[0]["text"]) if notices else None
        if otp is None:
            raise DemoFailedError("the lender's SMS inbox has no OTP for this request")
        self.tell(Sms(notices[0]["recipient"], notices[0]["text"], otp.group()))
        return otp.group()

    def _passage(self, sender: NodeName, receiver: NodeName, request_id: str, key: str) -> Passage:
        ops, other = self.pair[sender], self.pair[receiver]
        sent = ops.wait_for(lambda ops: finished_delivery(ops, request_id, key), PATIENCE_SECONDS)
        if sent is None:
            stuck = known_message(ops, request_id, key, "sent")
            found = f"{stuck['state']}: {stuck['result'] or 'not tried yet'}" if stuck else "not in its journal"
            raise DemoFailedError(f"{key} of the {sender.label} has not arrived in {PATIENCE_SECONDS:.0f} s: {found}")
        received = other.wait_for(lambda ops: known_message(ops, request_id, key, "received"), 1.0)
        step = passage(sent, received, request_id, *(node.identity()["organisation_id"] for node in (ops, other)))
        self.tell(step)
        if not step.is_accepted:
            raise DemoFailedError(f"{step.message} was not accepted: {step.state}, {step.result}")
        return step


def heartbeat_of(registry: RegistryOps, passages: Sequence[Passage], loan_application_id: str) -> list[Record]:
    """Return what both sides of each message have reported about the application, in the order of time.

    Raises DemoFailedError if less than that has come in time.
    """

    def look(ops: RegistryOps) -> list[Record] | None:
        abouts = ((event, event["body"]["event"]["loanMetaData"]["loanApplicationId"]) for event in ops.events(200))
        found: list[Record] = [event for event, about in abouts if about == loan_application_id]
        return found if len(found) >= 2 * len(passages) else None

    events = registry.wait_for(look, PATIENCE_SECONDS)
    if events is None:
        raise DemoFailedError(f"the heartbeat has not got {2 * len(passages)} events in {PATIENCE_SECONDS:.0f} s")
    return sorted(events, key=lambda event: event["body"]["event"]["timestamp"])
