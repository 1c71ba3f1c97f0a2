"""The protocol plane's OpenAPI document (3.1), derived from the catalogue, the profiles and the table of problems.

How a payload travels, `openapi_dress` says for each profile.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.node.ops.openapi_dress import DRESSES, SCHEMAS, Schema, reference_to
from shared.node.ops.openapi_examples import ack_payload, base_url, message_payload
from shared.protocol.messages import MessageType, one_of
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import PROFILES, Profile

_NOT_ANSWERED: Final = frozenset({Problem.VERSION, Problem.TIMED_OUT})
"""Codes that OCEN has published and that no answer of ours carries: any version is taken, a slow request is dropped."""

_DESCRIPTION: Final = """What a {role} takes from its counterparties: over mutual TLS, every message and answer signed.

{dresses}

A message is accepted if the answer is 200 and its signature is right; a callback follows where one is listed."""


def protocol_openapi(messages: Iterable[MessageType], version: str) -> Schema:
    """Describe these messages as paths, and those that answer them as callbacks; `version` is the software's."""
    taken = list(messages)
    answering = [message.answered_by for message in taken if message.answered_by]
    described = list({message.full_name: message for message in (*taken, *answering)}.values())
    paths: dict[str, Schema] = {}
    for message in taken:
        operation = {"operationId": _component(message), **_operation(message), **_callbacks(message)}
        paths.setdefault(message.path, {})[message.method.lower()] = operation
    dresses = [DRESSES[profile.name] for profile in _profiles(described)]
    return {
        "openapi": "3.1.0",
        "info": _info(taken, version),
        "tags": [{"name": stage} for stage in dict.fromkeys(message.stage for message in taken)],
        "paths": paths,
        "components": {
            "schemas": _payload_schemas(described) | _ack_schemas() | _merged(dress.schemas() for dress in dresses),
            "responses": _merged(_responses(*key) for key in dict.fromkeys(_dressing(one) for one in described)),
            "securitySchemes": _merged(dress.security_schemes() for dress in dresses),
        },
    }


def _info(messages: list[MessageType], version: str) -> Schema:
    roles = " and ".join(sorted({role for message in messages for role in message.receivers}))
    dresses = "\n\n".join(DRESSES[profile.name].description(profile) for profile in _profiles(messages))
    return {
        "title": f"Protocol plane of a {roles}",
        "version": version,
        "description": _DESCRIPTION.format(role=roles, dresses=dresses),
    }


def _profiles(messages: Iterable[MessageType]) -> list[Profile]:
    return [PROFILES[name] for name in sorted({message.version for message in messages})]


def _component(message: MessageType) -> str:
    """Return the message's key in the characters that a component's name may have."""
    return message.full_name.replace("/", ".")


def _dressing(message: MessageType) -> tuple[Profile, bool]:
    """Return what the form of a message's acks depends on."""
    return PROFILES[message.version], message.wraps_ack


def _operation(message: MessageType) -> Schema:
    answers = f" It answers {message.answers.name}, under the requestId of that message." if message.answers else ""
    profile, dress = PROFILES[message.version], DRESSES[message.version]
    content = {
        "schema": dress.body(reference_to(_component(message))),
        "examples": dress.examples(profile, message_payload(message)),
    }
    statuses = ("200", *(str(status) for status, _ in _problems_by_status(profile)))
    return {
        "tags": [message.stage],
        "summary": _component(message),
        "description": f"{message.summary} Sent by the {one_of(message.senders)}.{answers}",
        "security": dress.security(),
        "parameters": dress.parameters(profile),
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            status: {"$ref": f"#/components/responses/{_response_name(*_dressing(message), status)}"}
            for status in statuses
        },
    }


def _callbacks(message: MessageType) -> Schema:
    """Link a request to the message that answers it later, at the sender's own base URL."""
    answer = message.answered_by
    if answer is None:
        return {}
    url = f"{base_url(min(answer.receivers))}{answer.path}"
    return {"callbacks": {answer.name: {url: {answer.method.lower(): _operation(answer)}}}}


def _payload_schemas(messages: Iterable[MessageType]) -> Schema:
    return _merged(
        _payload_schemas_of(profile, [message for message in messages if message.version == profile.name])
        for profile in _profiles(messages)
    )


def _payload_schemas_of(profile: Profile, messages: list[MessageType]) -> Schema:
    """Describe the payloads of one version; versions have models of the same names."""
    prefix = _component(messages[0]).removesuffix(messages[0].name)
    bodies: dict[type[BaseModel], JsonSchemaMode] = {message.body: "validation" for message in messages}
    references, definitions = models_json_schema(list(bodies.items()), ref_template=f"{SCHEMAS}{prefix}{{model}}")
    schemas: Schema = {f"{prefix}{name}": schema for name, schema in definitions["$defs"].items()}
    for message in messages:
        # A schema is named after its model, which may serve several messages or have a namesake.
        schema = schemas.setdefault(_component(message), dict(references[message.body, "validation"]))
        schema["examples"] = [json.loads(message_payload(message))]
    return schemas


def _ack_schemas() -> Schema:
    return {"Accepted": _acknowledgement("The message is accepted and will survive a power cut.", [SUCCESS])} | {
        f"Refused{status}": _acknowledgement(_meanings(problems), [problem.code for problem in problems])
        for status, problems in _problems_by_status()
    }


def _acknowledgement(description: str, codes: list[str]) -> Schema:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": description,
        "properties": {
            "error": {"enum": codes},
            "traceId": {"type": "string", "description": "That of the message; empty if it could not be read."},
            "timestamp": {"type": "string", "format": "date-time"},
            "detail": {"type": "object", "additionalProperties": text, "description": "Why; in sandbox mode only."},
        },
        "required": ["error", "traceId", "timestamp"],
    }


def _problems_by_status(profile: Profile | None = None) -> list[tuple[int, list[Problem]]]:
    """Group what is answered by HTTP status: under this profile, or under any."""

    def status(problem: Problem) -> int:
        return problem.status

    def code(problem: Problem) -> str:
        return problem.code

    without_token = frozenset() if profile is None or profile.wants_token else {Problem.TOKEN}
    answered = sorted(set(Problem) - _NOT_ANSWERED - without_token, key=status)
    return [(number, sorted(problems, key=code)) for number, problems in groupby(answered, key=status)]


def _meanings(problems: Iterable[Problem]) -> str:
    return " ".join(f"{problem.code}: {problem.meaning}" for problem in problems)


def _responses(profile: Profile, is_wrapped: bool) -> Schema:
    """Describe the acks of messages of this profile, flat or inside a member `ack`."""
    accepted = {"accepted": ack_payload(is_wrapped=is_wrapped)}
    responses = {
        _response_name(profile, is_wrapped, "200"): {
            "description": "Accepted, signed.",
            **_answer(profile, _ack("Accepted", is_wrapped), accepted, {}),
        }
    }
    for status, problems in _problems_by_status(profile):
        refused = {problem.code: ack_payload(problem, is_wrapped=is_wrapped) for problem in problems}
        responses[_response_name(profile, is_wrapped, str(status))] = {
            "description": f"Refused, signed. {_meanings(problems)}",
            **_answer(profile, _ack(f"Refused{status}", is_wrapped), refused, _http_headers(profile, problems)),
        }
    return responses


def _answer(profile: Profile, payload: Schema, examples: Mapping[str, bytes], http_headers: Schema) -> Schema:
    dress = DRESSES[profile.name]
    shown = {name: next(iter(dress.examples(profile, example).values())) for name, example in examples.items()}
    content = {"application/json": {"schema": dress.body(payload), "examples": shown}}
    headers = dress.headers(profile) | http_headers
    return {"content": content} | ({"headers": headers} if headers else {})


def _ack(name: str, is_wrapped: bool) -> Schema:
    reference = reference_to(name)
    return {"type": "object", "properties": {"ack": reference}, "required": ["ack"]} if is_wrapped else reference


def _response_name(profile: Profile, is_wrapped: bool, status: str) -> str:
    return f"{profile.name}-wrapped-{status}" if is_wrapped else f"{profile.name}-{status}"


def _http_headers(profile: Profile, problems: Iterable[Problem]) -> Schema:
    text = {"schema": {"type": "string"}}
    if Problem.METHOD_NOT_ALLOWED in problems:
        return {"Allow": text}
    if Problem.UNAVAILABLE in problems:
        return {"Retry-After": text}
    if profile.wants_token and {problem.status for problem in problems} & {401, 403}:
        return {"WWW-Authenticate": text}
    return {}


def _merged(parts: Iterable[Schema]) -> Schema:
    return {name: value for part in parts for name, value in part.items()}
