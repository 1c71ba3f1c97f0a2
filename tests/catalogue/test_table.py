"""The table of messages: consistent in itself, and true to the documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.catalogue import table
from shared.catalogue.table import (
    CATALOGUE,
    EXCHANGES,
    find_message,
    get_message,
    messages_received_by,
    messages_sent_by,
)
from shared.protocol.messages import MessageType, Role
from shared.protocol.profiles import PROFILES
from tests.catalogue.documents import complete

each_message = pytest.mark.parametrize("message", CATALOGUE, ids=[message.full_name for message in CATALOGUE])

STRICTER = {"v4/CreateLoanApplicationsRequest": {"loanApplications"}}
"""What we require beyond the documents: without an application the message asks for nothing."""


def roles(names: str) -> set[Role]:
    """The roles that the documents write as `LoanAgent|Lender`."""
    word = "(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    return {Role(re.sub(word, "_", name).upper()) for name in names.split("|")}


def test_names_and_paths_are_unique() -> None:
    assert len({message.full_name for message in CATALOGUE}) == len(CATALOGUE)
    assert len({(message.method, message.path) for message in CATALOGUE}) == len(CATALOGUE)


@each_message
def test_a_message_lies_under_the_mount_of_its_version(message: MessageType) -> None:
    assert message.path.startswith(f"{PROFILES[message.version].mount}/")


@each_message
def test_a_message_is_found_by_its_full_name_and_by_version_and_name(message: MessageType) -> None:
    assert find_message(message.full_name) is get_message(message.version, message.name) is message


def test_what_the_catalogue_does_not_have_is_not_found() -> None:
    assert find_message("v4/TriggerLoanAcceptance") is None
    with pytest.raises(KeyError):
        get_message("v3", "GrantLoanRequest")


@each_message
def test_a_message_goes_from_some_roles_to_others(message: MessageType) -> None:
    assert not message.senders & message.receivers
    assert all(message in messages_sent_by(role) for role in message.senders)
    assert all(message in messages_received_by(role) for role in message.receivers)


@each_message
def test_a_body_is_named_as_its_message(message: MessageType) -> None:
    assert message.body.__name__ == message.name


@pytest.mark.parametrize("file", ["v3.py", "v4.py"])
def test_an_exchange_has_a_row_of_at_most_five_lines(file: str) -> None:
    tree = ast.parse(Path(table.__file__).with_name(file).read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    rows = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Exchange"]
    assert len(rows) == sum(f"{exchange.version}.py" == file for exchange in EXCHANGES)
    assert all(row.end_lineno - row.lineno < 5 for row in rows if row.end_lineno)


@each_message
def test_a_message_has_one_sentence_for_people(message: MessageType) -> None:
    assert message.summary.endswith(".")
    assert message.stage


def test_a_message_of_a_later_version_is_called_by_version_and_name() -> None:
    assert {message.full_name for message in messages_received_by(Role.LENDER, "v4")} == {
        "v4/CreateLoanApplicationsRequest",
        "v4/TriggerLoanAcceptanceRequest",
        "v4/VerifyLoanAcceptanceRequest",
    }


@each_message
def test_path_method_and_direction_are_the_documented_ones(
    message: MessageType, documented: dict[tuple[str, str], dict[str, Any]]
) -> None:
    facts = documented[message.version, message.name]

    assert (message.method, message.path) == (facts["method"], facts["path"])
    assert (message.senders, message.receivers) == (roles(facts["caller"]), roles(facts["callee"]))
    other = message.answered_by or message.answers
    assert (other.name if other else None) == facts["correlates_with"]
    assert message.wraps_ack is (facts["ack"]["shape"] == "wrapped")


@each_message
def test_a_body_requires_the_documented_members(
    message: MessageType, documented: dict[tuple[str, str], dict[str, Any]]
) -> None:
    required = {field.alias for field in message.body.model_fields.values() if field.is_required()}
    known = {field.alias for field in message.body.model_fields.values()}
    facts = documented[message.version, message.name]

    assert required == set(facts["required_as_in_spec"]) | STRICTER.get(message.full_name, set())
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
    assert all(errors_in(document, message) < 20 for document in with_bad_lists(complete(message.full_name)))
