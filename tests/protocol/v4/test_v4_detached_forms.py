"""The forms of detached signature that are about, as frozen vectors, and the examples of the standards."""

import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.errors import JoseError

from sandbox.offline import HttpParts, verify
from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER, seal_detached, signing_input
from shared.protocol.encoding import base64url_decode, base64url_encode
from shared.protocol.messages import Role
from shared.protocol.participants import Dialect, Participant, PublicKey
from shared.protocol.profiles import V4
from shared.protocol.signing import load_public_key
from shared.protocol.tampering import GoodCall
from shared.protocol.verification import Outcome, Verification
from tests.protocol.second_library import verify_detached
from tests.protocol.vectors import DOCUMENTS, vector

FORMS = vector("v4_detached_forms")
BODY, OTHER_BODY = FORMS["body"].encode(), FORMS["other_body"].encode()
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in FORMS["cases"]}

KNOWN_TO_THE_STANDARDS = {
    "rfc7797_b64false_crit",
    "rfc7515_appendixF_detached",
    "rfc7515_appendixF_detached_b64true",
}

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_dialect = pytest.mark.parametrize("dialect", list(Dialect))


def peer(dialect: Dialect, jwk: dict[str, str]) -> Callable[[str], Participant]:
    """A peer of that dialect with this key alone, whatever kid is asked for: v4 asks by the token."""
    key = PublicKey(jwk["kid"], load_public_key(json.dumps(jwk), "RS256"))
    found = Participant("Role-3051", "LSP", Role.LOAN_AGENT, "", frozenset(), (key,), dialect=dialect)
    return lambda kid: found


def judge(signature: str, body: bytes, dialect: Dialect, jwk: dict[str, str]) -> Verification:
    return verify(body, V4, peer(dialect, jwk), message_type=None, at=None, http=HttpParts(signature)).verification


def caught_by(verification: Verification) -> str | None:
    return verification.failure.check.name if verification.failure else None


@each_dialect
@each_case
def test_a_form_counts_or_is_caught_as_its_vector_says(case: dict[str, Any], dialect: Dialect) -> None:
    verification = judge(case["signature"], BODY, dialect, FORMS["jwk"])
    assert caught_by(verification) == case["caught_by"][dialect]


@each_dialect
@each_case
def test_no_form_counts_for_another_body(case: dict[str, Any], dialect: Dialect) -> None:
    verification = judge(case["signature"], OTHER_BODY, dialect, FORMS["jwk"])
    assert caught_by(verification) == (case["caught_by"][dialect] or "signature_verifies")


@pytest.mark.check("OCEN-DET-02")
@each_dialect
@pytest.mark.parametrize("name", ["embedded_compact", "detached_over_empty_payload"])
def test_what_official_starters_take_for_any_body_counts_for_none(name: str, dialect: Dialect) -> None:
    for body in (BODY, OTHER_BODY, b"", b"{}", BODY + b" "):
        assert not judge(CASES[name]["signature"], body, dialect, FORMS["jwk"]).passed


@each_case
def test_the_second_library_agrees_on_the_forms_that_standards_have(case: dict[str, Any]) -> None:
    pem = load_public_key(json.dumps(FORMS["jwk"]), "RS256").to_pem()
    if case["name"] in KNOWN_TO_THE_STANDARDS:
        assert verify_detached(case["signature"], BODY, pem, "RS256") == BODY
        with pytest.raises(JoseError):
            verify_detached(case["signature"], OTHER_BODY, pem, "RS256")
    elif case["name"] == "embedded_compact":  # it gives out the payload that is in there, whatever body is asked about
        assert verify_detached(case["signature"], OTHER_BODY, pem, "RS256") == BODY
    else:
        with pytest.raises(JoseError):
            verify_detached(case["signature"], BODY, pem, "RS256")


@each_dialect
def test_the_second_library_verifies_what_we_sign_and_so_does_a_peer_of_that_dialect(
    dialect: Dialect, good_call: GoodCall
) -> None:
    headers = seal_detached(BODY, good_call.key, dialect)
    public = good_call.key.public()

    assert set(headers) == {SIGNATURE_HEADER} | ({STARTER_HEADER} if dialect is Dialect.AUTHSTARTER else set())
    assert len(set(headers.values())) == 1
    for body, counts in ((BODY, True), (OTHER_BODY, False)):
        jwk = {**public.jwk.export_public(as_dict=True), "kid": good_call.key.kid}
        assert judge(headers[SIGNATURE_HEADER], body, dialect, jwk).passed is counts
    assert verify_detached(headers[SIGNATURE_HEADER], BODY, public.to_pem(), "RS256") == BODY


@pytest.mark.parametrize("case", vector("rfc7797_s4_hs256")["cases"], ids=lambda case: case["name"])
def test_the_examples_of_rfc_7797_s4_are_signed_over_what_we_sign(case: dict[str, Any]) -> None:
    example = vector("rfc7797_s4_hs256")
    secret, payload = base64url_decode(example["jwk"]["k"]), example["payload"].encode()
    inputs = {unencoded: signing_input(case["header"], payload, unencoded) for unencoded in (True, False)}
    macs = {key: base64url_encode(hmac.digest(secret, text, "sha256")) for key, text in inputs.items()}

    assert macs[case["isUnencoded"]] == case["signature"]
    assert macs[not case["isUnencoded"]] != case["signature"]
    assert json.loads(base64url_decode(case["header"])).get("b64", True) is not case["isUnencoded"]


def test_the_example_of_rfc_7515_a2_verifies_with_its_content_detached_as_in_appendix_f() -> None:
    example = vector("rfc7515_a2_rs256")
    jwk, body = {"kid": "a2", **example["jwk"]}, base64url_decode(example["payload"])
    signature = f"{example['header']}..{example['signature']}"
    pem = load_public_key(json.dumps(jwk), "RS256").to_pem()

    verification = judge(signature, body, Dialect.AUTHSTARTER, jwk)  # for the example has no kid

    outcomes = {step.check.name: step.outcome for step in verification.steps}
    assert outcomes["signature_verifies"] is Outcome.PASSED
    assert caught_by(verification) == "originator_metadata_is_complete"
    assert caught_by(judge(signature, body, Dialect.STRICT, jwk)) == "kid_selects_a_registered_key"
    assert caught_by(judge(signature, body + b" ", Dialect.AUTHSTARTER, jwk)) == "signature_verifies"
    assert verify_detached(signature, body, pem, "RS256") == body


def test_the_key_of_the_forms_is_a_public_one() -> None:
    assert set(FORMS["jwk"]) == {"kty", "kid", "n", "e"}


@pytest.mark.parametrize("dialect", [Dialect.STRICT, Dialect.AUTHSTARTER])
def test_the_collected_forms_of_the_documents_are_judged_as_the_positions_say(dialect: Dialect) -> None:
    source = DOCUMENTS / "vectors" / "v4_detached_forms.json"
    if not source.exists():
        pytest.skip("the facts collected from the OCEN documents are not beside this checkout")
    facts = json.loads(source.read_text("utf-8"))
    position = "position_strict" if dialect is Dialect.STRICT else "position_authstarter_mode"

    for case in facts["cases"]:
        right = judge(case["jws"], facts["body_utf8"].encode(), dialect, facts["public_jwk"])
        other = judge(case["jws"], facts["other_body_utf8"].encode(), dialect, facts["public_jwk"])
        assert right.passed is case[position].startswith("accept"), case["name"]
        assert not other.passed, case["name"]
        assert caught_by(right) == CASES[case["name"]]["caught_by"][dialect]
    assert [case["name"] for case in facts["cases"]] == list(CASES)
