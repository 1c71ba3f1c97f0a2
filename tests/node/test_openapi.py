"""The protocol plane's OpenAPI document: complete, consistent, and true to what a node takes."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest

from sandbox.offline import HttpParts, verify
from shared.catalogue.table import CATALOGUE, messages_received_by
from shared.node.onboarding.record import ONBOARDED_ROLES
from shared.node.receive.document import protocol_document
from shared.node.receive.wire_models import SignedEnvelope
from shared.protocol.encoding import base64url_decode, parse_json_object
from shared.protocol.messages import MessageType, Role
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import PROFILES
from shared.protocol.verification import Outcome
from tests.equipment.parties import lsp


@cache
def document_of(*messages: MessageType) -> dict[str, Any]:
    """The document of these messages; each takes long to make."""
    return protocol_document(messages, "0.1.0")


def whole() -> dict[str, Any]:
    """The document of all messages."""
    return document_of(*CATALOGUE)


each_document = pytest.mark.parametrize(
    "messages", [CATALOGUE, *map(messages_received_by, ONBOARDED_ROLES)], ids=["whole", *ONBOARDED_ROLES]
)


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
    found: dict[str, Any] = whole()["paths"][message.path][message.method.lower()]
    return found


def body(described: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = described["content"]["application/json"]
    return content


def payload(example: dict[str, Any]) -> dict[str, Any]:
    """What an example carries: inside an envelope in v3, as it is in v4."""
    value: dict[str, Any] = example["value"]
    return parse_json_object(base64url_decode(value["payload"])) if "payload" in value else value


def carried(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what is carried: inside an envelope in v3, beside or inside a member `ack` in v4."""
    found: dict[str, Any] = resolve(whole(), schema["$ref"])
    for inner in (found["properties"].get("payload", {}).get("contentSchema"), found["properties"].get("ack")):
        found = resolve(whole(), inner["$ref"]) if inner else found
    return found


def ack(example: dict[str, Any], message: MessageType) -> dict[str, Any]:
    """The ack in an example."""
    inside: dict[str, Any] = payload(example)["ack"] if message.wraps_ack else payload(example)
    return inside


def of_version(version: str) -> Any:
    messages = [message for message in CATALOGUE if message.version == version]
    return pytest.mark.parametrize("message", messages, ids=lambda message: message.full_name)


@each_document
def test_every_reference_leads_somewhere(messages: Sequence[MessageType]) -> None:
    document = document_of(*messages)
    references = [node["$ref"] for node in nodes(document) if "$ref" in node]
    assert references
    for reference in references:
        assert resolve(document, reference)


@each_document
def test_operation_ids_are_unique(messages: Sequence[MessageType]) -> None:
    ids = [node["operationId"] for node in nodes(document_of(*messages)) if "operationId" in node]
    assert len(ids) == len(set(ids))


def test_every_message_of_the_catalogue_is_a_path_of_the_role_that_takes_it() -> None:
    for message in CATALOGUE:
        for role in ONBOARDED_ROLES:
            is_there = message.path in document_of(*messages_received_by(role))["paths"]
            assert is_there is (role in message.receivers)
        assert operation(message)["operationId"] == message.full_name.replace("/", ".")


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.full_name)
def test_a_request_is_linked_to_the_message_that_answers_it(message: MessageType) -> None:
    callbacks = operation(message).get("callbacks", {})
    assert list(callbacks) == ([message.answered_by.name] if message.answered_by else [])
    for path_items in callbacks.values():
        ((url, methods),) = path_items.items()
        assert url.startswith("https://")
        assert url.endswith(message.answered_by.path)
        assert set(methods) == {"post"}


@of_version("v3")
def test_the_envelope_names_its_header_either_way_and_says_what_it_carries(message: MessageType) -> None:
    envelope = resolve(whole(), body(operation(message)["requestBody"])["schema"]["$ref"])
    assert envelope["required"] == ["payload", "signature"]
    assert [spelling["required"] for spelling in envelope["oneOf"]] == [["header"], ["protected"]]
    for name in ("payload", "header", "protected"):
        part = envelope["properties"][name]
        assert (part["contentEncoding"], part["contentMediaType"]) == ("base64url", "application/json")
        assert resolve(whole(), part["contentSchema"]["$ref"])["properties"]
    assert carried(body(operation(message)["requestBody"])["schema"])["title"] == message.body.__name__


@of_version("v3")
def test_an_example_is_what_the_model_of_its_envelope_takes(message: MessageType) -> None:
    for example in body(operation(message)["requestBody"])["examples"].values():
        envelope = SignedEnvelope[message.body].model_validate(example["value"])  # type: ignore[name-defined]
        assert isinstance(envelope.payload, message.body)


@of_version("v4")
def test_a_message_of_4_0_is_its_payload_with_signature_and_token_in_the_headers(message: MessageType) -> None:
    described = operation(message)
    schema = carried(body(described["requestBody"])["schema"])
    assert schema["title"] == message.body.__name__
    assert {"metadata", "productData"} <= set(schema["properties"])
    assert [(one["name"], one["in"], one["required"]) for one in described["parameters"]] == [
        ("Signature", "header", True)
    ]
    assert described["security"] == [{"mutualTLS": [], "accessToken": []}]
    for answer in described["responses"].values():
        shared = resolve(whole(), answer["$ref"]) if "$ref" in answer else answer
        assert "Signature" in shared["headers"]


def test_versions_share_no_schema_of_a_payload() -> None:
    schemas = whole()["components"]["schemas"]
    assert "loanApplicationIds" in schemas["v3.TriggerLoanAcceptanceRequest"]["properties"]
    assert "loanApplicationId" in schemas["v4.TriggerLoanAcceptanceRequest"]["properties"]
    assert not any("__" in name for name in schemas)


def test_a_node_that_speaks_one_version_describes_no_other() -> None:
    document = protocol_document(messages_received_by(Role.LENDER, "v3"), "0.1.0")
    assert not any("v4" in name for part in document["components"].values() for name in part)
    assert "v4" not in document["info"]["description"]
    assert "accessToken" not in json.dumps(document)


@of_version("v4")
def test_an_example_of_4_0_passes_every_check_up_to_the_key_of_its_signature(message: MessageType) -> None:
    example = body(operation(message)["requestBody"])["examples"]["payload"]["value"]
    signature = operation(message)["parameters"][0]["example"]
    sample = json.dumps(example).encode()
    verification = verify(
        sample, PROFILES["v4"], lambda kid: lsp(), message_type=message, at=None, http=HttpParts(signature)
    ).verification
    failed = [step.check.name for step in verification.steps if step.outcome is Outcome.FAILED]
    assert failed == ["kid_selects_a_registered_key"]
    message.body.model_validate(example)


@of_version("v3")
def test_an_example_passes_every_check_up_to_its_signature(message: MessageType) -> None:
    for name, example in body(operation(message)["requestBody"])["examples"].items():
        assert name in example["value"]
        sample = json.dumps(example["value"]).encode()
        verification = verify(
            sample, PROFILES[message.version], lambda kid: None, message_type=message, at=None
        ).verification
        assert verification.failure is not None
        assert verification.failure.check.name == "kid_selects_a_key_that_counts"
        assert all(step.outcome is not Outcome.FAILED for step in verification.steps[:9])
        message.body.model_validate(payload(example))


def test_a_request_and_its_answer_are_examples_of_one_request_id() -> None:
    for message in CATALOGUE:
        for path_items in operation(message).get("callbacks", {}).values():
            (answer,) = (method["post"] for method in path_items.values())
            asked, answered = (
                payload(next(iter(body(one["requestBody"])["examples"].values())))
                for one in (operation(message), answer)
            )
            if PROFILES[message.version].id_in_metadata:
                asked, answered = asked["metadata"], answered["metadata"]
            assert asked["requestId"] == answered["requestId"]


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.full_name)
def test_every_problem_that_we_answer_with_stands_under_its_status(message: MessageType) -> None:
    answers = operation(message)["responses"]
    answered = set(Problem) - {Problem.VERSION, Problem.TIMED_OUT}
    answered -= set() if PROFILES[message.version].wants_token else {Problem.TOKEN}
    assert set(answers) == {"200", *(str(problem.status) for problem in answered)}
    for problem in answered:
        answer = resolve(whole(), answers[str(problem.status)]["$ref"])
        assert problem.code in answer["description"]
        assert ack(body(answer)["examples"][problem.code], message)["error"] == problem.code
        error = carried(body(answer)["schema"])["properties"]["error"]
        assert problem.code in error.get("enum", [error.get("const")])


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.full_name)
def test_an_answer_that_accepts_carries_a_signed_ack(message: MessageType) -> None:
    answer = operation(message)["responses"]["200"]
    assert carried(body(answer)["schema"])["properties"]["error"]["const"] == SUCCESS
    example = ack(body(answer)["examples"]["accepted"], message)
    assert (example["error"], set(example)) == (SUCCESS, {"error", "traceId", "timestamp"})


def test_answers_have_the_headers_that_http_asks_for() -> None:
    responses = whole()["components"]["responses"]
    assert set(responses["v3-405"]["headers"]) == {"Allow"}
    assert set(responses["v3-503"]["headers"]) == {"Retry-After"}
    assert "headers" not in responses["v3-400"]
    assert set(responses["v4-405"]["headers"]) == {"Signature", "Allow"}
    assert set(responses["v4-wrapped-401"]["headers"]) == {"Signature", "WWW-Authenticate"}


def test_the_plane_demands_mutual_tls() -> None:
    assert all("mutualTLS" in demand for message in CATALOGUE for demand in operation(message)["security"])
    assert whole()["components"]["securitySchemes"]["mutualTLS"]["type"] == "mutualTLS"
