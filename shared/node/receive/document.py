"""The protocol plane's OpenAPI document (3.1), as FastAPI writes it from the routes."""

import copy
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from fastapi.openapi.utils import get_openapi

from shared.node.receive.documented_refusals import refusals_route
from shared.node.receive.examples import base_url, message_payload
from shared.node.receive.reception import MessageRoute
from shared.node.receive.routes import component_name, message_route
from shared.node.receive.wire_forms import WIRE_FORMS
from shared.protocol.messages import MessageType

_DESCRIPTION: Final = """What a {role} takes from its counterparties: over mutual TLS, every message and answer signed.

{forms}

A message is accepted if the answer is 200 and its signature verifies; a callback follows where one is listed."""

_NAMESAKE: Final = re.compile(r"\bshared__catalogue__\w*?(v\d)\w*?__(?=[A-Z])")
"""How FastAPI begins the name of a schema that both versions have."""


def protocol_document(messages: Sequence[MessageType], version: str) -> dict[str, Any]:
    """Describe these messages as paths, and those that answer them as callbacks; `version` is that of our software."""
    described = [*messages, *(message.answered_by for message in messages if message.answered_by)]
    refusals = [
        refusals_route(WIRE_FORMS[name], is_wrapped)
        for name, is_wrapped in sorted({(message.version, message.wraps_ack) for message in described})
    ]
    forms = [WIRE_FORMS[name] for name in sorted({message.version for message in described})]
    roles = " and ".join(sorted({role for message in messages for role in message.receivers}))
    document = get_openapi(
        title=f"Protocol plane of a {roles}",
        version=version,
        description=_DESCRIPTION.format(role=roles, forms="\n\n".join(form.how_to_send for form in forms)),
        tags=[{"name": stage} for stage in dict.fromkeys(message.stage for message in messages)],
        routes=[*(_documented(message) for message in messages), *refusals],
        separate_input_output_schemas=False,  # else FastAPI would describe what an envelope carries, not the envelope
    )
    components = document["components"]
    components["responses"] = {
        f"{route.name}-{status}": response
        for route in refusals
        for status, response in document["paths"].pop(route.path)["get"]["responses"].items()
        if status != "200"
    }
    components["securitySchemes"] = {name: scheme for form in forms for name, scheme in form.security_schemes.items()}
    renamed: dict[str, Any] = json.loads(_NAMESAKE.sub(r"\1.", json.dumps(document)))
    return renamed


def _documented(message: MessageType, request: MessageType | None = None) -> MessageRoute:
    """Return a message's route with examples and with its callback, or as the callback that answers `request`."""
    route = copy.copy(message_route(message))
    examples = WIRE_FORMS[message.version].examples(message_payload(message))
    body = {"content": {"application/json": {"examples": examples}}}
    route.openapi_extra = {**(route.openapi_extra or {}), "requestBody": body}
    if message.answered_by:
        route.callbacks = [_documented(message.answered_by, message)]
    if request is not None:
        route.path = f"{base_url(min(message.receivers))}{message.path}"
        route.operation_id = f"{component_name(request)}.{message.name}"
    return route
