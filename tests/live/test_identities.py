"""Certificate, key and name of a message have to be one participant's, and nobody learns what is another's."""

from typing import Any

import pytest

from shared.catalogue.table import example_of, find_message
from shared.node.identity import load_identity
from shared.node.ids import new_id
from shared.protocol.problems import SUCCESS
from shared.protocol.signing import SigningKey
from tests.live.forger import Answer, Forger, calling_as
from tests.live.letters import TRIGGER, TRIGGERED, VERIFIED, VERIFY, envelope, letter, path_of
from tests.live.pair import ACME, LENDER, LSP, SECOND_BANK, Pair, PairFactory
from tests.live.waiting import eventually


def key_of(pair: Pair, organisation_id: str) -> SigningKey:
    return load_identity(pair.certs / organisation_id / "identity.json").signing_key


def post(forger: Forger, document: dict[str, Any], key: SigningKey, message: str = TRIGGER) -> Answer:
    return forger.post(path_of(message), envelope(document, key))


@pytest.mark.check("OCEN-IDN-01")
@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"orgId": ACME.organisation_id}, "AUTH1004"),
        ({"orgId": LENDER}, "AUTH1004"),
        ({"orgId": "NOBODY"}, "AUTH1004"),
        ({"orgId": LSP.lower()}, "AUTH1004"),
        ({"orgId": f"{LSP} "}, "AUTH1004"),
        ({"orgId": ""}, "GEN5007"),
        ({}, "GEN5001"),
    ],
    ids=["another's", "the receiver's", "nobody's", "in small letters", "with a space", "empty", "missing"],
)
def test_a_message_in_another_name_than_its_keys_holder_is_refused(
    pair: Pair, lsp_forger: Forger, metadata: dict[str, str], error: str
) -> None:
    document = letter(TRIGGER, LSP)
    stamp = {name: value for name, value in document["metadata"].items() if name != "orgId"}
    before = pair.lender.books.entries()

    answer = post(lsp_forger, {**document, "metadata": {**stamp, **metadata}}, pair.lsp.identity.signing_key)

    assert answer.error == error
    assert pair.lender.books.entries() <= before
    assert post(lsp_forger, document, pair.lsp.identity.signing_key).error == SUCCESS


@pytest.mark.check("OCEN-IDN-02")
@pytest.mark.parametrize(("certificate", "name"), [(ACME.organisation_id, LSP), (LSP, ACME.organisation_id)])
def test_a_message_over_the_connection_of_somebody_else_is_refused(pair: Pair, certificate: str, name: str) -> None:
    document, key = letter(TRIGGER, name), key_of(pair, name)
    before = pair.lender.books.entries()

    with calling_as(certificate, pair, pair.lender) as forger:
        answer = post(forger, document, key)

    assert (answer.status, answer.error) == (401, "AUTH1001")
    assert answer.ack["detail"]["check"] == "certificate_is_registered"
    assert pair.lender.books.entries() <= before


@pytest.mark.check("OCEN-IDN-03")
def test_nobody_sends_what_is_for_another_role_to_send(pair: Pair, lsp_forger: Forger) -> None:
    bank = SECOND_BANK.organisation_id
    before = pair.lender.books.entries(), pair.lsp.books.entries()

    callback = letter(TRIGGERED, LSP, response={"error": SUCCESS})
    assert post(lsp_forger, callback, pair.lsp.identity.signing_key, TRIGGERED).error == "GEN5012"
    with calling_as(bank, pair, pair.lender) as forger:
        assert post(forger, letter(TRIGGER, bank), key_of(pair, bank)).error == "AUTH1004"
    with calling_as(ACME.organisation_id, pair, pair.lsp) as forger:
        answer = post(forger, letter(TRIGGERED, ACME.organisation_id), key_of(pair, ACME.organisation_id), TRIGGERED)
        assert answer.error == "AUTH1004"

    assert pair.lender.books.entries() <= before[0]
    assert pair.lsp.books.entries() <= before[1]


@pytest.mark.check("OCEN-IDN-03")
def test_what_belongs_to_another_lsp_looks_as_if_it_were_not_there(make_pair: PairFactory) -> None:
    pair = make_pair()
    pair.start()
    request_id = pair.lsp.ops.send(TRIGGER, LENDER, example_of(find_message(TRIGGER)))["request_id"]
    triggered = eventually(lambda: pair.lsp.received(request_id, TRIGGERED))
    session = triggered["decoded"]["payload"]["credBlock"]["data"]["otpSessionKey"]
    (notice,) = pair.lender.ops.notices(request_id)
    key, otp = key_of(pair, ACME.organisation_id), notice["text"][:6]

    with calling_as(ACME.organisation_id, pair, pair.lender) as forger:
        refusals = [
            post(forger, letter(TRIGGER, ACME.organisation_id, loanApplicationIds=[f"{prefix}-1"]), key)
            for prefix in ("FOREIGN", "UNKNOWN")
        ]
        told = []
        for session_id in (session, new_id()):
            document = letter(VERIFY, ACME.organisation_id, credBlock=answer_to(session_id, otp))
            assert post(forger, document, key, VERIFY).error == SUCCESS
            told.append(told_by_callback(pair, document["requestId"], session_id))

    assert [refusal.error for refusal in refusals] == ["GEN5011", "GEN5011"]
    assert told[0] == told[1]
    assert "INVALID_SESSION" in str(told[0])
    own = pair.lsp.ops.send(VERIFY, LENDER, {"credBlock": answer_to(session, otp)})["request_id"]
    verified = eventually(lambda: pair.lsp.received(own, VERIFIED))
    assert verified["decoded"]["payload"]["credBlock"]["data"]["status"] == "SUCCESS"


def answer_to(session: str, otp: str) -> dict[str, Any]:
    return {"type": "OTP", "data": {"otpSessionKey": session, "otp": otp}}


def told_by_callback(pair: Pair, request_id: str, session: str) -> str:
    """What the lender has to say to a verification, but for what tells one request from another."""
    callback = eventually(lambda: pair.lender.sent(request_id, VERIFIED))
    return str(callback["content"]).replace(request_id, "REQUEST").replace(session, "SESSION")
