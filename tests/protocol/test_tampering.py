"""Every row of the tampering table, through the whole profile."""

import base64
import json
import re
from dataclasses import replace

import pytest

from shared.protocol.checks import REQUEST_CHECKS
from shared.protocol.participants import EnvelopeMember, Participant
from shared.protocol.tampering import TAMPERINGS, GoodMessage, Tampering
from shared.protocol.tampering.base64url import rows as rewritten_parts
from shared.protocol.verification import Outcome
from tests.protocol.conftest import Keys
from tests.protocol.receiver import Receiver
from tests.protocol.spoiled import assert_caught_and_nothing_changed

each_row = pytest.mark.parametrize("row", TAMPERINGS, ids=[row.name for row in TAMPERINGS])


def test_the_unspoiled_message_passes_every_check(good: GoodMessage, receiver: Receiver) -> None:
    verification = receiver.take(good.send())

    assert verification.passed
    assert [step.check for step in verification.steps] == list(REQUEST_CHECKS)
    assert {step.outcome for step in verification.steps} == {Outcome.PASSED}


@each_row
def test_a_spoiled_message_is_caught_by_its_check_alone_and_changes_nothing(
    row: Tampering, good_message: GoodMessage, lsp: Participant, lender: Participant
) -> None:
    for member in EnvelopeMember:
        assert_caught_and_nothing_changed(row, replace(good_message, member=member), Receiver((lsp, lender)))


def test_every_check_of_a_request_can_fail() -> None:
    assert {row.caught_by for row in TAMPERINGS} == set(REQUEST_CHECKS)


def test_rows_stand_in_the_order_of_the_checks() -> None:
    places = [REQUEST_CHECKS.index(row.caught_by) for row in TAMPERINGS]
    assert places == sorted(places)


def test_every_row_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [row.name for row in TAMPERINGS]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)
    assert all(row.text[0].isupper() and row.text.endswith(".") and "{" not in row.text for row in TAMPERINGS)


@pytest.mark.parametrize("row", rewritten_parts, ids=[row.name for row in rewritten_parts])
def test_a_rewritten_part_is_wrong_in_nothing_but_its_form(row: Tampering, good: GoodMessage, keys: Keys) -> None:
    outer = json.loads(row.tamper(good).body)
    header, payload = outer[good.member.value], outer["payload"]

    assert json.loads(_decode_leniently(header))["kid"] == keys.lsp.kid
    assert json.loads(_decode_leniently(payload))["requestId"] == good.document["requestId"]
    assert keys.lsp.public().verify(f"{header}.{payload}".encode(), _decode_leniently(outer["signature"]))


def test_spoiling_does_not_touch_the_good_message(good_message: GoodMessage) -> None:
    before = good_message.send()
    for row in TAMPERINGS:
        row.messages(good_message)

    assert good_message.send() == before


def _decode_leniently(text: str) -> bytes:
    """Decode as many libraries do: either alphabet, junk left out, padding and surplus bits ignored."""
    known = re.sub(r"[^A-Za-z0-9_-]", "", text.replace("+", "-").replace("/", "_"))
    return base64.urlsafe_b64decode(known + "=" * (-len(known) % 4))
