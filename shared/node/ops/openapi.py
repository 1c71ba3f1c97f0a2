"""The protocol plane's OpenAPI document (3.1), derived from the catalogue, the profiles and the table of problems.

What travels is an envelope; `contentSchema` says what its base64url parts hold (JSON Schema 2020-12, s8 of the
validation vocabulary).
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.catalogue.table import BY_NAME
from shared.catalogue.types import MessageType
from shared.node.ops.openapi_examples import ack_envelope, base_url, message_envelopes, message_payload
from shared.protocol.checks.envelope import HEADER_MEMBERS, MAX_KID_LENGTH
from shared.protocol.participants import EnvelopeMember
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import PROFILES, Profile

Schema = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/{model}"

_NOT_ANSWERED: Final = frozenset({Problem.VERSION, Problem.TIMED_OUT})
"""Codes that OCEN has published and that no answer of ours carries: any version is taken, a slow request is dropped."""

_DESCRIPTION: Final = """What a {role} takes from its counterparties: over mutual TLS, every message and answer signed.

Send the payload as an envelope: a flattened JWS whose three parts are base64url without padding. The signature is by
your key over the bytes `header.payload`, with {algorithm}. Answer and acknowledgement come in the shape of the request.
A message is accepted if the answer is 200 and its signature is right; a callback follows where one is listed."""


def protocol_openapi(messages: Iterable[MessageType], version: str) -> Schema:
    """Describe these messages as paths, and those that answer them as callbacks; `version` is the software's."""
    taken = list(messages)
    answering = [BY_NAME[message.answer_key] for message in taken if message.answer_key]
    described = {message.name: message for message in (*taken, *answering)}.values()
    paths: dict[str, Schema] = {}
    for message in taken:
        operation = {"operationId": message.name, **_operation(message), **_callbacks(message)}
        paths.setdefault(message.path, {})[message.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": _info(taken, version),
        "tags": [{"name": stage} for stage in dict.fromkeys(message.stage for message in taken)],
        "security": [{"mutualTLS": []}],
        "paths": paths,
        "components": {
            "schemas": _payload_schemas(described) | _shared_schemas(described),
            "responses": {name: value for profile in _profiles(described) for name, value in _responses(profile)},
            "securitySchemes": {
                "mutualTLS": {
                    "type": "mutualTLS",
                    "description": "TLS 1.2 or newer; your certificate is the one that you were onboarded with.",
                }
            },
        },
    }


def _info(messages: list[MessageType], version: str) -> Schema:
    roles = " and ".join(sorted({message.receiver.value for message in messages}))
    algorithms = " or ".join(sorted({profile.algorithm for profile in _profiles(messages)}))
    return {
        "title": f"Protocol plane of a {roles}",
        "version": version,
        "description": _DESCRIPTION.format(role=roles, algorithm=algorithms),
    }


def _profiles(messages: Iterable[MessageType]) -> list[Profile]:
    return [PROFILES[name] for name in sorted({message.version for message in messages})]


def _operation(message: MessageType) -> Schema:
    answers = f" It answers {message.answers}, under the requestId of that message." if message.answers else ""
    content = {"schema": _envelope(message.name), "examples": message_envelopes(message)}
    return {
        "tags": [message.stage],
        "summary": message.name,
        "description": f"{message.summary} Sent by the {message.sender.value}.{answers}",
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            status: {"$ref": f"#/components/responses/{_response_name(PROFILES[message.version], status)}"}
            for status in ("200", *(str(status) for status, _ in _problems_by_status()))
        },
    }


def _callbacks(message: MessageType) -> Schema:
    """Link a request to the message that answers it later, at the sender's own base URL."""
    if message.answer_key is None:
        return {}
    answer = BY_NAME[message.answer_key]
    url = f"{base_url(answer.receiver)}{answer.path}"
    return {"callbacks": {answer.name: {url: {answer.method.lower(): _operation(answer)}}}}


def _payload_schemas(messages: Iterable[MessageType]) -> Schema:
    bodies: dict[type[BaseModel], JsonSchemaMode] = {message.body: "validation" for message in messages}
    references, definitions = models_json_schema(list(bodies.items()), ref_template=_REFERENCE)
    schemas: Schema = definitions["$defs"]
    for message in messages:
        # A schema is named after its model, which may serve several messages or have a namesake.
        schema = schemas.setdefault(message.name, dict(references[message.body, "validation"]))
        schema["examples"] = [message_payload(message)]
    return schemas


def _shared_schemas(messages: Iterable[MessageType]) -> Schema:
    profiles = _profiles(messages)
    return {
        "Signature": {"type": "string", "contentEncoding": "base64url", "description": "RFC 7515 s7.2.2, signature"},
        "SignedHeader": {
            "type": "object",
            "description": "RFC 7515 s4. No other member is allowed.",
            "properties": {name: {"type": "string"} for name in sorted(HEADER_MEMBERS)}
            | {
                "alg": {"enum": [profile.algorithm for profile in profiles]},
                "kid": {"type": "string", "minLength": 1, "maxLength": MAX_KID_LENGTH},
            },
            "required": ["alg", "kid"],
            "additionalProperties": False,
        },
        "Accepted": _acknowledgement("The message is accepted and will survive a power cut.", [SUCCESS]),
    } | {
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


def _envelope(payload: str) -> Schema:
    """Return the schema of an envelope around that payload: the signed header has one of two names, never both."""
    both = [_spelling(member, _REFERENCE.format(model=payload)) for member in EnvelopeMember]
    return {"type": "object", "oneOf": both, "not": {"required": ["signatures"]}}


def _spelling(member: EnvelopeMember, payload: str) -> Schema:
    return {
        "title": f"signed header as {member.value}",
        "properties": {
            "payload": _encoded(payload),
            member.value: _encoded(_REFERENCE.format(model="SignedHeader")),
            "signature": {"$ref": _REFERENCE.format(model="Signature")},
        },
        "required": ["payload", member.value, "signature"],
    }


def _encoded(reference: str) -> Schema:
    return {
        "type": "string",
        "contentEncoding": "base64url",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": reference},
    }


def _problems_by_status() -> list[tuple[int, list[Problem]]]:
    def status(problem: Problem) -> int:
        return problem.status

    def code(problem: Problem) -> str:
        return problem.code

    answered = sorted(set(Problem) - _NOT_ANSWERED, key=status)
    return [(number, sorted(problems, key=code)) for number, problems in groupby(answered, key=status)]


def _meanings(problems: Iterable[Problem]) -> str:
    return " ".join(f"{problem.code}: {problem.meaning}" for problem in problems)


def _responses(profile: Profile) -> Iterable[tuple[str, Schema]]:
    accepted = {"accepted": ack_envelope(profile)}
    yield _response_name(profile, "200"), _response("Accepted, signed.", "Accepted", accepted)
    for status, problems in _problems_by_status():
        examples = {problem.code: ack_envelope(profile, problem) for problem in problems}
        response = _response(f"Refused, signed. {_meanings(problems)}", f"Refused{status}", examples)
        yield _response_name(profile, str(status)), response | _headers(problems)


def _response(description: str, payload: str, examples: Mapping[str, Schema]) -> Schema:
    content = {"application/json": {"schema": _envelope(payload), "examples": examples}}
    return {"description": description, "content": content}


def _response_name(profile: Profile, status: str) -> str:
    return f"{profile.name}-{status}"


def _headers(problems: Iterable[Problem]) -> Schema:
    text = {"schema": {"type": "string"}}
    if Problem.METHOD_NOT_ALLOWED in problems:
        return {"headers": {"Allow": text}}
    if Problem.UNAVAILABLE in problems:
        return {"headers": {"Retry-After": text}}
    return {}
