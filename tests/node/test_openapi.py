"""The protocol plane's OpenAPI document: complete, consistent, and true to what a node takes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.catalogue.table import CATALOGUE, messages_received_by
from shared.catalogue.types import MessageType
from shared.node.ops.openapi import protocol_openapi
from shared.protocol.encoding import base64url_decode, parse_json_object
from shared.protocol.participants import ParticipantRole
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import PROFILES
from shared.protocol.verification import Outcome

WHOLE = protocol_openapi(CATALOGUE, "0.1.0")
BY_ROLE = {role: protocol_openapi(messages_received_by(role), "0.1.0") for role in ParticipantRole}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


def resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def operation(message: MessageType) -> dict[str, Any]:
    found: dict[str, Any] = WHOLE["paths"][message.path][message.method.lower()]
    return found


def body(described: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = described["content"]["application/json"]
    return content


def payload(example: dict[str, Any]) -> dict[str, Any]:
    return parse_json_object(base64url_decode(example["value"]["payload"]))


@pytest.mark.parametrize("document", [WHOLE, *BY_ROLE.values()], ids=["whole", *BY_ROLE])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = [node["$ref"] for node in nodes(document) if "$ref" in node]
    assert references
    for reference in references:
        assert resolve(document, reference)


@pytest.mark.parametrize("document", [WHOLE, *BY_ROLE.values()], ids=["whole", *BY_ROLE])
def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [node["operationId"] for node in nodes(document) if "operationId" in node]
    assert len(ids) == len(set(ids))


def test_every_message_of_the_catalogue_is_a_path_of_the_role_that_takes_it() -> None:
    for message in CATALOGUE:
        for role, document in BY_ROLE.items():
            is_there = message.path in document["paths"]
            assert is_there is (role is message.receiver)
        assert operation(message)["operationId"] == message.name


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.name)
def test_a_request_is_linked_to_the_message_that_answers_it(message: MessageType) -> None:
    callbacks = operation(message).get("callbacks", {})
    assert list(callbacks) == ([message.answered_by] if message.answered_by else [])
    for path_items in callbacks.values():
        ((url, methods),) = path_items.items()
        assert url.startswith("https://")
        assert url.endswith(next(one.path for one in CATALOGUE if one.name == message.answered_by))
        assert set(methods) == {"post"}


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.name)
def test_the_envelope_names_its_header_either_way_and_says_what_it_carries(message: MessageType) -> None:
    spellings = body(operation(message)["requestBody"])["schema"]["oneOf"]
    assert [set(spelling["required"]) for spelling in spellings] == [
        {"payload", "header", "signature"},
        {"payload", "protected", "signature"},
    ]
    for spelling in spellings:
        carried = spelling["properties"]["payload"]
        assert (carried["contentEncoding"], carried["contentMediaType"]) == ("base64url", "application/json")
        schema = resolve(WHOLE, carried["contentSchema"]["$ref"])
        assert "metadata" in schema["properties"]
        message.body.model_validate(schema["examples"][0])


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.name)
def test_an_example_passes_every_check_up_to_its_signature(message: MessageType) -> None:
    for name, example in body(operation(message)["requestBody"])["examples"].items():
        assert name in example["value"]
        sample = json.dumps(example["value"]).encode()
        verification = PROFILES[message.version].examine_offline(sample, lambda kid: None, message)
        assert verification.failure is not None
        assert verification.failure.check.name == "kid_selects_a_key_that_counts"
        assert all(step.outcome is not Outcome.FAILED for step in verification.steps[:9])
        message.body.model_validate(payload(example))


def test_a_request_and_its_answer_are_examples_of_one_request_id() -> None:
    for message in CATALOGUE:
        for path_items in operation(message).get("callbacks", {}).values():
            (answer,) = (method["post"] for method in path_items.values())
            asked, answered = (
                payload(body(one["requestBody"])["examples"]["header"])["requestId"]
                for one in (operation(message), answer)
            )
            assert asked == answered


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.name)
def test_every_problem_that_we_answer_with_stands_under_its_status(message: MessageType) -> None:
    answers = operation(message)["responses"]
    answered = set(Problem) - {Problem.VERSION, Problem.TIMED_OUT}
    assert set(answers) == {"200", *(str(problem.status) for problem in answered)}
    for problem in answered:
        answer = resolve(WHOLE, answers[str(problem.status)]["$ref"])
        assert problem.code in answer["description"]
        assert payload(body(answer)["examples"][problem.code])["error"] == problem.code
        carried = body(answer)["schema"]["oneOf"][0]["properties"]["payload"]["contentSchema"]["$ref"]
        assert problem.code in resolve(WHOLE, carried)["properties"]["error"]["enum"]


def test_an_answer_that_accepts_carries_a_signed_ack() -> None:
    answer = resolve(WHOLE, operation(CATALOGUE[0])["responses"]["200"]["$ref"])
    example = payload(body(answer)["examples"]["accepted"])
    assert (example["error"], set(example)) == (SUCCESS, {"error", "traceId", "timestamp"})


def test_answers_have_the_headers_that_http_asks_for() -> None:
    responses = WHOLE["components"]["responses"]
    assert set(responses["v3-405"]["headers"]) == {"Allow"}
    assert set(responses["v3-503"]["headers"]) == {"Retry-After"}
    assert "headers" not in responses["v3-400"]


def test_the_plane_demands_mutual_tls() -> None:
    assert WHOLE["security"] == [{"mutualTLS": []}]
    assert WHOLE["components"]["securitySchemes"]["mutualTLS"]["type"] == "mutualTLS"
