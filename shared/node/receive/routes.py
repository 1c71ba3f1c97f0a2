"""The protocol plane's routes: a FastAPI route for each message of the catalogue that a role takes.

FastAPI writes the documentation from their models. It parses nothing: the middleware has judged the message already.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from fastapi import FastAPI

from shared.node.receive.documented_refusals import references_to_refusals
from shared.node.receive.examples import ack_payload
from shared.node.receive.reception import MessageEndpoint, MessageRoute, Reception
from shared.node.receive.wire_forms import WIRE_FORMS
from shared.node.receive.wire_models import AcceptedAck, WrappedAck
from shared.node.rules import Bound
from shared.protocol.messages import MessageType, one_of
from shared.protocol.phases import VerifiedMessage


def protocol_app(
    reception: Reception, messages: Mapping[str, MessageType], rules: Mapping[MessageType, Bound[VerifiedMessage]]
) -> FastAPI:
    """Make the application of the protocol plane: a route per message of the catalogue that this role takes.

    Documentation is served on the operator plane.
    """
    app = FastAPI(openapi_url=None)
    for message_type in messages.values():
        if message_type.answered_by and message_type not in rules:
            raise LookupError(f"{message_type.full_name} has no rule: see CONTRIBUTING.md, Add an exchange")
        endpoint = MessageEndpoint(reception, message_type, rules.get(message_type))
        app.router.routes.append(message_route(message_type).served_by(endpoint))
    return app


@cache
def message_route(message: MessageType) -> MessageRoute:
    """Return the route of a message. It is made once: that takes a millisecond or two."""
    form = WIRE_FORMS[message.version]
    answers = f" It answers {message.answers.name}, under the requestId of that message." if message.answers else ""
    return MessageRoute(
        message.path,
        _declaring(form.model(message.body)),
        methods=[message.method],
        name=message.name,
        operation_id=component_name(message),
        tags=[message.stage],
        summary=component_name(message),
        description=f"{message.summary} Sent by the {one_of(message.senders)}.{answers}",
        response_model=form.model(WrappedAck[AcceptedAck] if message.wraps_ack else AcceptedAck),
        response_description="Accepted, signed.",
        responses={200: _accepted(message), **references_to_refusals(form, message.wraps_ack)},
        openapi_extra=form.operation,
    )


def component_name(message: MessageType) -> str:
    """Return the message's full name in the characters that names in an OpenAPI document may have."""
    return message.full_name.replace("/", ".")


def _accepted(message: MessageType) -> dict[str, Any]:
    form = WIRE_FORMS[message.version]
    ((_, example), *_) = form.examples(ack_payload(is_wrapped=message.wraps_ack)).items()
    return {
        "headers": dict(form.signature_headers),
        "content": {"application/json": {"examples": {"accepted": example}}},
    }


def _declaring(body: Any) -> Callable[[Any], None]:
    def endpoint(body: Any) -> None:
        """Tell FastAPI of the body, for the documentation; it is never called."""

    endpoint.__annotations__ = {"body": body}
    return endpoint
