"""What the operator plane takes and gives beside the journal, field by field."""

from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.catalogue.bodies.body import Identifier
from shared.node.readiness import Obstacle
from shared.protocol.messages import Role

_TO_SEND: Final[Any] = {
    "message": "TriggerLoanAcceptanceRequest",
    "to": "LENDER01",
    "content": {
        "loanApplicationIds": ["APPL-2031-000417"],
        "credBlock": {"type": "OTP", "data": {"appToken": "token"}},
    },
}
"""What the operator's page offers to try: the LSP of the sandbox may send it as it is."""


class MessageToSend(BaseModel):
    """A message of the catalogue to be sent: `content` is its payload; the node adds metadata and signature.

    Without a `requestId` in the content, a new one is made.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_TO_SEND]})

    message: Identifier
    to: Identifier
    content: dict[str, Any]


class Underway(BaseModel):
    """A message that is in the outbox: it survives a power cut, and is delivered now or later."""

    id: str
    request_id: str


class OwnIdentity(BaseModel):
    """Who this node is: the kid that it signs with, those in reserve, its TLS certificates' thumbprints in hex.

    It serves with `certificate` and calls with `client_certificate`, which may be the same.
    """

    organisation_id: str
    role: Role
    kid: str
    backup_kids: list[str]
    certificate: str
    client_certificate: str


class NodeHealth(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"
    organisation_id: str
    role: Role
    pid: int
    version: str


class Readiness(BaseModel):
    """Whether messages can be taken; `reason` says why not, and `since` (UTC) since when that is known."""

    ready: bool
    reason: str | None = None
    since: datetime | None = None

    @classmethod
    def of(cls, obstacle: Obstacle | None) -> "Readiness":
        """Show what a check has found."""
        if obstacle is None:
            return cls(ready=True)
        return cls(ready=False, reason=obstacle.reason, since=obstacle.since)


Item = TypeVar("Item", bound=BaseModel)


class Items(BaseModel, Generic[Item]):
    """A whole list."""

    items: list[Item]


class Page(Items[Item]):
    """A page of a list. `next` is the `before` of the page after it; null says that there is nothing older.

    With a filter that few pass, a page may hold less than `limit` items, or none, and still have a `next`.
    """

    next: str | None


class Mistake(BaseModel):
    """Why a request was not carried out, and what to do about it, in one sentence."""

    detail: str
