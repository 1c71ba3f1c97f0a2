"""What the catalogue says of one API message."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from shared.protocol.participants import ParticipantRole


@dataclass(frozen=True, slots=True)
class MessageType:
    """One row of the catalogue.

    Attributes:
        name: the OCEN message name, for example `TriggerLoanAcceptanceRequest`.
        version: the profile that carries it (`v3`).
        path: where the receiver takes it, appended to the receiver's base URL.
        sender: the role that sends it.
        receiver: the role that takes it.
        body: the model of its payload.
        stage: the stage of the loan journey.
        summary: one sentence for people.
        answered_by: name of the callback that answers it later, if one does.
        answers: name of the request that it answers, if it is a callback.
        method: its HTTP method.
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

    def example(self) -> dict[str, Any]:
        """Return an example payload, without the metadata that the sender's node stamps on delivery."""
        text = files("shared.catalogue").joinpath("examples", self.version, f"{self.name}.json").read_text("utf-8")
        example: dict[str, Any] = json.loads(text)
        return example
