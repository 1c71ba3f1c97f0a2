"""What the catalogue says of one API message."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from shared.protocol.participants import ParticipantRole


def key_of(version: str, name: str) -> str:
    """Return the key of a message: in v3 its name, later the version before it."""
    return name if version == "v3" else f"{version}/{name}"


@dataclass(frozen=True, slots=True)
class MessageType:
    """One row of the catalogue.

    Attributes:
        name: the OCEN message name, for example `TriggerLoanAcceptanceRequest`.
        version: the profile that carries it (`v3`, `v4`).
        path: where the receiver takes it, appended to the receiver's base URL.
        sender: the role that sends it.
        receiver: the role that takes it.
        body: the model of its payload.
        stage: the stage of the loan journey.
        summary: one sentence for people.
        answered_by: name of the callback that answers it later, if one does.
        answers: name of the request that it answers, if it is a callback.
        method: its HTTP method.
        wraps_ack: whether its ack stands inside a member `ack` (three messages of OCEN 4.0).
    """

    name: str
    version: str
    path: str
    sender: ParticipantRole
    receiver: ParticipantRole
    body: type[BaseModel]
    stage: str
    summary: str
    answered_by: str | None = None
    answers: str | None = None
    method: str = "POST"
    wraps_ack: bool = False

    @property
    def key(self) -> str:
        """The name by which code, tables and commands tell it from its namesakes in other versions."""
        return key_of(self.version, self.name)

    @property
    def answer_key(self) -> str | None:
        """The key of the callback that answers it."""
        return key_of(self.version, self.answered_by) if self.answered_by else None

    @property
    def request_key(self) -> str | None:
        """The key of the request that it answers."""
        return key_of(self.version, self.answers) if self.answers else None

    def example(self) -> dict[str, Any]:
        """Return an example payload, without the metadata that the sender's node stamps on delivery."""
        text = files("shared.catalogue").joinpath("examples", self.version, f"{self.name}.json").read_text("utf-8")
        example: dict[str, Any] = json.loads(text)
        return example
