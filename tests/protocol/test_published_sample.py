"""The signed sample that the v3 security document prints: the one envelope that we have not made ourselves."""

import base64
import json
from collections.abc import Iterator

import pytest

from sandbox.offline import verify
from shared.catalogue.table import get_message
from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json, parse_timestamp
from shared.protocol.messages import Role
from shared.protocol.participants import Participant, PublicKey
from shared.protocol.profiles import V3
from shared.protocol.signing import KeyMaterialError, VerificationKey, load_public_key
from shared.protocol.verification import Verification
from tests.protocol.second_library import verified_payload
from tests.protocol.vectors import DOCUMENTS, vector

SAMPLE = vector("v3_published_sample")
ENVELOPE: dict[str, str] = SAMPLE["envelope"]
MESSAGE = get_message("v3", "TriggerLoanAcceptanceRequest")


@pytest.fixture(scope="module")
def key() -> VerificationKey:
    return load_public_key(pem(SAMPLE["key_restored"]), "RS512")


@pytest.fixture(scope="module")
def sender(key: VerificationKey) -> Participant:
    return Participant(
        id=SAMPLE["organisationId"],
        name="the LSP of the sample",
        role=Role.LOAN_AGENT,
        base_url="https://lsp.example",
        certificates=frozenset(),
        keys=(PublicKey(SAMPLE["kid"], key),),
    )


def pem(base64_text: str) -> str:
    lines = [base64_text[start : start + 64] for start in range(0, len(base64_text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def judge(sender: Participant, **changes: str) -> Verification:
    at = parse_timestamp("2018-12-06T11:40:00Z")
    body = dump_json({**ENVELOPE, **changes})
    return verify(body, V3, {SAMPLE["kid"]: sender}.get, message_type=MESSAGE, at=at).verification


def verifies(key: VerificationKey, header: str, payload: str, signature: bytes) -> bool:
    return key.verify(f"{header}.{payload}".encode(), signature)


def one_bit_changes(data: bytes) -> Iterator[bytes]:
    for place in range(len(data) * 8):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def test_it_passes_every_check_that_an_envelope_alone_can_pass(sender: Participant) -> None:
    assert judge(sender).passed


def test_the_second_library_verifies_it_too() -> None:
    payload = verified_payload(ENVELOPE, pem(SAMPLE["key_restored"]), "RS512")
    assert payload == base64url_decode(ENVELOPE["payload"])


def test_it_verifies_under_the_standards_name_of_the_header_as_well(sender: Participant) -> None:
    members = {"payload": ENVELOPE["payload"], "protected": ENVELOPE["header"], "signature": ENVELOPE["signature"]}
    at = parse_timestamp("2018-12-06T11:40:00Z")
    assert verify(dump_json(members), V3, {SAMPLE["kid"]: sender}.get, message_type=MESSAGE, at=at).verification.passed


def test_it_is_stale_when_judged_years_later(sender: Participant) -> None:
    at = parse_timestamp("2031-03-04T05:06:07Z")
    holder = {SAMPLE["kid"]: sender}.get
    verification = verify(dump_json(ENVELOPE), V3, holder, message_type=MESSAGE, at=at).verification
    assert verification.failure is not None
    assert verification.failure.check.name == "timestamp_is_fresh"


def test_the_order_that_the_prose_names_does_not_verify(key: VerificationKey) -> None:
    signature = base64url_decode(ENVELOPE["signature"])
    assert verifies(key, ENVELOPE["header"], ENVELOPE["payload"], signature)
    assert not verifies(key, ENVELOPE["payload"], ENVELOPE["header"], signature)


def test_the_signature_of_the_second_printing_does_not_verify(sender: Participant) -> None:
    verification = judge(sender, signature=SAMPLE["signature_as_printed_a_second_time"])
    assert verification.failure is not None
    assert verification.failure.check.name == "signature_verifies"


def test_the_key_as_printed_is_refused_with_a_hint_at_the_lost_character() -> None:
    with pytest.raises(KeyMaterialError, match="a character may be lost"):
        load_public_key(pem(SAMPLE["key_as_printed"]), "RS512")


def test_the_restored_key_is_the_printed_one_with_one_character_more(key: VerificationKey) -> None:
    printed, restored = SAMPLE["key_as_printed"], SAMPLE["key_restored"]
    assert restored == printed[:331] + "/" + printed[331:]
    assert base64.b64decode(restored, validate=True)
    assert load_public_key(json.dumps(SAMPLE["jwk"]), "RS512").thumbprint() == key.thumbprint()


def test_no_change_of_one_bit_in_the_payload_verifies(key: VerificationKey) -> None:
    signature = base64url_decode(ENVELOPE["signature"])
    changes = map(base64url_encode, one_bit_changes(base64url_decode(ENVELOPE["payload"])))
    assert not any(verifies(key, ENVELOPE["header"], payload, signature) for payload in changes)


def test_no_change_of_one_bit_in_the_header_verifies(key: VerificationKey) -> None:
    signature = base64url_decode(ENVELOPE["signature"])
    changes = map(base64url_encode, one_bit_changes(base64url_decode(ENVELOPE["header"])))
    assert not any(verifies(key, header, ENVELOPE["payload"], signature) for header in changes)


def test_no_change_of_one_bit_in_the_signature_verifies(key: VerificationKey) -> None:
    changes = one_bit_changes(base64url_decode(ENVELOPE["signature"]))
    assert not any(verifies(key, ENVELOPE["header"], ENVELOPE["payload"], signature) for signature in changes)


@pytest.mark.parametrize("part", ["payload", "header", "signature"])
def test_no_change_of_one_bit_in_a_part_as_it_travels_is_accepted(part: str, sender: Participant) -> None:
    texts = (changed.decode("latin-1") for changed in one_bit_changes(ENVELOPE[part].encode()))
    assert not any(judge(sender, **{part: text}).passed for text in texts)


def test_our_copy_equals_the_collected_facts() -> None:
    source = DOCUMENTS / "vectors" / "v3_security_readme.json"
    if not source.exists():
        pytest.skip("the facts collected from the OCEN documents are not beside this checkout")
    facts = json.loads(source.read_text("utf-8"))

    assert facts["envelope"] == ENVELOPE
    assert facts["public_key_as_printed"] == SAMPLE["key_as_printed"]
    assert facts["public_key_restored_spki_base64"] == SAMPLE["key_restored"]
    assert facts["negative_seed_signature"] == SAMPLE["signature_as_printed_a_second_time"]
    assert {name: facts["public_jwk"][name] for name in SAMPLE["jwk"]} == SAMPLE["jwk"]
