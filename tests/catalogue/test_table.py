"""The table of messages: consistent in itself, and true to the documents."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from shared.catalogue.table import BY_NAME, CATALOGUE, messages_received_by, messages_sent_by
from shared.catalogue.types import MessageType
from shared.protocol.participants import ParticipantRole
from shared.protocol.profiles import PROFILES
from tests.catalogue.documents import complete

each_message = pytest.mark.parametrize("message", CATALOGUE, ids=[message.key for message in CATALOGUE])

STRICTER = {"v4/CreateLoanApplicationsRequest": {"loanApplications"}}
"""What we require beyond the documents: without an application the message asks for nothing."""

ROLES = {"Lender": ParticipantRole.LENDER, "LoanAgent": ParticipantRole.LOAN_AGENT}


def test_names_and_paths_are_unique() -> None:
    assert len(BY_NAME) == len(CATALOGUE)
    assert len({(message.method, message.path) for message in CATALOGUE}) == len(CATALOGUE)


@each_message
def test_a_message_lies_under_the_mount_of_its_version(message: MessageType) -> None:
    assert message.path.startswith(f"{PROFILES[message.version].mount}/")


@each_message
def test_a_message_goes_from_one_role_to_another(message: MessageType) -> None:
    assert message.sender is not message.receiver
    assert message in messages_sent_by(message.sender)
    assert message in messages_received_by(message.receiver)


@each_message
def test_a_request_and_its_callback_name_each_other(message: MessageType) -> None:
    other = BY_NAME[message.answer_key or message.request_key or ""]
    assert other.version == message.version
    assert {other.answered_by, other.answers} == {message.name, None}
    assert (other.sender, other.receiver) == (message.receiver, message.sender)
    assert (message.answered_by is None) is message.name.endswith("Response")


@each_message
def test_a_message_has_one_sentence_for_people(message: MessageType) -> None:
    assert message.summary.endswith(".")
    assert message.stage


def test_a_message_of_a_later_version_is_called_by_version_and_name() -> None:
    assert {message.key for message in messages_received_by(ParticipantRole.LENDER, "v4")} == {
        "v4/CreateLoanApplicationsRequest",
        "v4/TriggerLoanAcceptanceRequest",
        "v4/VerifyLoanAcceptanceRequest",
    }


def test_every_message_is_received_by_exactly_one_role() -> None:
    received = [message for role in ParticipantRole for message in messages_received_by(role)]
    assert sorted(message.key for message in received) == sorted(BY_NAME)


@each_message
def test_path_method_and_direction_are_the_documented_ones(
    message: MessageType, documented: dict[tuple[str, str], dict[str, Any]]
) -> None:
    facts = documented[message.version, message.name]

    assert (message.method, message.path) == (facts["method"], facts["path"])
    assert (message.sender, message.receiver) == (ROLES[facts["caller"]], ROLES[facts["callee"]])
    assert (message.answered_by or message.answers) == facts["correlates_with"]
    assert message.wraps_ack is (facts["ack"]["shape"] == "wrapped")


@each_message
def test_a_body_requires_the_documented_members(
    message: MessageType, documented: dict[tuple[str, str], dict[str, Any]]
) -> None:
    required = {field.alias for field in message.body.model_fields.values() if field.is_required()}
    known = {field.alias for field in message.body.model_fields.values()}
    facts = documented[message.version, message.name]

    assert required == set(facts["required_as_in_spec"]) | STRICTER.get(message.key, set())
    assert known == {field["name"] for field in facts["fields"]}


def with_bad_lists(value: Any) -> Iterator[Any]:
    """The document with one of its lists at a time full of values that no list takes."""
    if isinstance(value, list):
        yield [None] * 10_000
    for place, child in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        for changed in with_bad_lists(child):
            copy = value.copy()
            copy[place] = changed
            yield copy


def errors_in(document: Any, message: MessageType) -> int:
    """How many errors are found in a document, each of which is worked out."""
    try:
        message.body.model_validate(document)
    except ValidationError as error:
        return error.error_count()
    return 0


@each_message
def test_judging_a_list_ends_at_the_first_value_that_is_wrong(message: MessageType) -> None:
    assert all(errors_in(document, message) < 20 for document in with_bad_lists(complete(message.key)))
