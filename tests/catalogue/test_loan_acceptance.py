"""The bodies of v3's loan acceptance: what they take, what they refuse, and that they keep what they do not know."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.catalogue.bodies.otp import OtpStatus
from shared.catalogue.bodies.v3.loan_acceptance import VerifyLoanAcceptanceRequest, VerifyLoanAcceptanceResponse
from shared.catalogue.table import CATALOGUE, example_of, find_message, get_message
from shared.protocol.encoding import parse_json_object
from shared.protocol.messages import MessageType

METADATA = {"version": "1.0", "timestamp": "2031-03-04T05:06:07.890Z", "traceId": "trace-1", "orgId": "Lsp-417"}

MESSAGES = [message for message in CATALOGUE if (message.version, message.stage) == ("v3", "loan acceptance")]

each_message = pytest.mark.parametrize("message", MESSAGES, ids=[message.name for message in MESSAGES])


def complete(name: str) -> dict[str, Any]:
    """The example of a message with what the sender's node adds to it."""
    return {"metadata": dict(METADATA), "requestId": "request-1", **example_of(find_message(name))}


def changed(name: str, place: str, value: object) -> dict[str, Any]:
    """The example with one member changed, as `credBlock.data.otp` names it, or left out where the value is `...`."""
    document = deepcopy(complete(name))
    *parents, member = place.split(".")
    target = document
    for parent in parents:
        target = target[parent]
    if value is ...:
        target.pop(member, None)
    else:
        target[member] = value
    return document


@each_message
def test_the_example_of_a_message_fits_it(message: MessageType) -> None:
    document = complete(message.name)
    body = message.body.model_validate(document)

    assert body.model_dump(mode="json", by_alias=True, exclude_unset=True) == document


@each_message
def test_an_example_shows_no_metadata_because_the_node_stamps_it(message: MessageType) -> None:
    assert "metadata" not in example_of(message)


@each_message
def test_members_that_are_not_known_are_kept(message: MessageType) -> None:
    document = complete(message.name) | {"note": {"a": [1, None]}}
    document["credBlock"]["data"]["channel"] = "SMS"

    assert message.body.model_validate(document).model_dump(mode="json", by_alias=True, exclude_unset=True) == document


@each_message
@pytest.mark.parametrize("member", ["metadata", "requestId", "credBlock"])
def test_a_message_without_one_of_its_members_is_refused(message: MessageType, member: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        message.body.model_validate(changed(message.name, member, ...))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("TriggerLoanAcceptanceRequest", "loanApplicationIds"),
        ("TriggerLoanAcceptanceRequest", "metadata.traceId"),
        ("TriggerLoanAcceptanceRequest", "credBlock.type"),
        ("TriggerLoanAcceptanceRequest", "credBlock.data"),
        ("TriggerLoanAcceptanceResponse", "response"),
        ("TriggerLoanAcceptanceResponse", "response.error"),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp"),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otpSessionKey"),
        ("VerifyLoanAcceptanceResponse", "response"),
        ("VerifyLoanAcceptanceResponse", "credBlock.data.status"),
    ],
)
def test_each_message_requires_what_it_cannot_do_without(name: str, place: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        find_message(name).body.model_validate(changed(name, place, ...))


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("TriggerLoanAcceptanceRequest", "loanApplicationIds", []),
        ("TriggerLoanAcceptanceRequest", "loanApplicationIds", ["a"] * 101),
        ("TriggerLoanAcceptanceRequest", "loanApplicationIds", [""]),
        ("TriggerLoanAcceptanceRequest", "loanApplicationIds", [5]),
        ("TriggerLoanAcceptanceRequest", "loanApplicationIds", "APPL-2031-000417"),
        ("TriggerLoanAcceptanceRequest", "credBlock.type", "FACE"),
        ("TriggerLoanAcceptanceRequest", "credBlock.type", "otp"),
        ("TriggerLoanAcceptanceRequest", "credBlock.data", "FA+9qCX9VSu"),
        ("TriggerLoanAcceptanceRequest", "credBlock.data.appToken", "a\x00b"),
        ("TriggerLoanAcceptanceRequest", "credBlock.data.appToken", "a" * 513),
        ("TriggerLoanAcceptanceRequest", "requestId", "r" * 65),
        ("TriggerLoanAcceptanceRequest", "requestId", "request\n1"),
        ("TriggerLoanAcceptanceRequest", "requestId", "request-1\n"),
        ("TriggerLoanAcceptanceRequest", "requestId", "अनुरोध"),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", "12a456"),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", "123"),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", "123456789"),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", "٠٤٨٢١٣"),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", -48213),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", 48213.0),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", True),
        ("VerifyLoanAcceptanceRequest", "credBlock.data.otp", None),
        ("VerifyLoanAcceptanceResponse", "credBlock.data.status", "success"),
        ("VerifyLoanAcceptanceResponse", "credBlock.data.status", None),
    ],
)
def test_a_value_that_its_type_does_not_allow_is_refused(name: str, place: str, value: object) -> None:
    with pytest.raises(ValidationError):
        find_message(name).body.model_validate(changed(name, place, value))


@pytest.mark.parametrize(
    ("sent", "understood"),
    [("048213", "048213"), (48213, "048213"), (13, "000013"), (0, "000000"), (5048213, "5048213"), ("0482", "0482")],
)
def test_an_otp_sent_as_a_number_gets_its_leading_zeros_back(sent: str | int, understood: str) -> None:
    document = changed("VerifyLoanAcceptanceRequest", "credBlock.data.otp", sent)
    parsed = parse_json_object(json.dumps(document).encode())

    assert VerifyLoanAcceptanceRequest.model_validate(parsed).cred_block.data.otp == understood


@pytest.mark.parametrize("status", list(OtpStatus))
def test_a_verdict_is_one_of_the_three_documented_ones(status: OtpStatus) -> None:
    document = changed("VerifyLoanAcceptanceResponse", "credBlock.data.status", status.value)
    assert VerifyLoanAcceptanceResponse.model_validate(document).cred_block.data.status is status


def test_a_member_counts_only_under_the_name_that_it_has_on_the_wire() -> None:
    document = complete("TriggerLoanAcceptanceRequest")
    document["loan_application_ids"] = document.pop("loanApplicationIds")
    with pytest.raises(ValidationError, match="loanApplicationIds"):
        get_message("v3", "TriggerLoanAcceptanceRequest").body.model_validate(document)


def test_a_body_cannot_be_changed() -> None:
    body = VerifyLoanAcceptanceRequest.model_validate(complete("VerifyLoanAcceptanceRequest"))
    with pytest.raises(ValidationError, match="frozen"):
        body.request_id = "other"  # type: ignore[misc]


def test_the_published_sample_fits_its_message(documents: Path) -> None:
    sample = json.loads((documents / "examples/v3/TriggerLoanAcceptanceRequest.json").read_text("utf-8"))
    body = get_message("v3", "TriggerLoanAcceptanceRequest").body.model_validate(sample)

    assert body.model_dump(mode="json", by_alias=True, exclude_unset=True) == sample


@each_message
def test_the_published_cred_block_fits_each_message(message: MessageType, documents: Path) -> None:
    fragment = json.loads((documents / f"examples/v3/fragments/{message.name}.credBlock.json").read_text("utf-8"))
    document = {**complete(message.name), **fragment}

    assert message.body.model_validate(document).model_dump(mode="json", by_alias=True, exclude_unset=True) == document


def test_the_otp_block_knows_the_documented_members(documents: Path) -> None:
    for message in MESSAGES:
        schema = json.loads((documents / f"schemas/v3/{message.name}.json").read_text("utf-8"))
        block = schema["properties"]["credBlock"]["properties"]
        ours = message.body.model_fields["cred_block"].annotation
        assert ours is not None
        data = ours.model_fields["data"].annotation
        assert set(block["data"]["properties"]) == {field.alias for field in data.model_fields.values()}
        assert set(block["type"]["enum"]) == {"OTP"}
        assert set(block["data"]["properties"]["status"]["enum"]) == set(OtpStatus)
