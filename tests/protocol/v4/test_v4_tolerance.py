"""What a receiver of OCEN 4.0 calls has to take although it is not what our own sender writes."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.participants import Dialect, KeyStatus, Participant
from shared.protocol.phases import VerifiedMessage
from shared.protocol.tampering import GoodCall, OutgoingMessage
from shared.protocol.tokens import Issuer
from tests.protocol.receiver import LSP_CERTIFICATE, NOW
from tests.protocol.v4.call_receiver import NETWORKS, CallReceiver
from tests.protocol.v4.messages import LSP

SECONDS = int(NOW.timestamp())


def with_headers(good: GoodCall, **headers: str) -> OutgoingMessage:
    message = good.send()
    return replace(message, headers={**message.headers, **headers})


@pytest.mark.check("OCEN-TOK-01")
@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}", " Bearer {} ", "Bearer {}\t"])
def test_the_scheme_of_a_token_counts_in_any_case_and_spaces_around_it_are_nothing(
    form: str, good_call: GoodCall, lender_node: CallReceiver
) -> None:
    assert lender_node.take(with_headers(good_call, authorization=form.format(good_call.token()))).passed


@pytest.mark.check("OCEN-DET-01")
def test_a_signature_counts_under_either_name_and_under_both_if_they_are_equal(
    call: GoodCall, lender_node: CallReceiver, lsp_role: Participant, issuer: Issuer
) -> None:
    starter = call.with_header(SIGNATURE_HEADER, None)
    under_other_name = replace(starter, headers={**starter.headers, STARTER_HEADER: call.sign()})
    assert lender_node.take(under_other_name).passed
    both = call.with_header(STARTER_HEADER, call.sign())
    assert CallReceiver((lsp_role,), issuer).take(both).passed


@pytest.mark.check("OCEN-DET-04")
@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("form", [{}, {"b64": True}, {"b64": True, "crit": ["b64"]}, {"b64": False, "crit": ["b64"]}])
def test_both_forms_that_the_standards_have_count_from_everybody(
    form: dict[str, Any], dialect: Dialect, good_call: GoodCall, lender_node: CallReceiver
) -> None:
    lender_node.set_dialect(dialect)
    header = {"alg": "RS256", "kid": good_call.key.kid, "typ": "JOSE", "cty": "json", **form}
    assert lender_node.take(good_call.send_header(header)).passed


@pytest.mark.check("OCEN-DET-04", "OCEN-JWS-05")
@pytest.mark.parametrize("kid", [{"kid": None}, {}], ids=["null", "absent"])
def test_an_official_starter_may_leave_out_crit_and_kid_as_long_as_it_has_one_key(
    kid: dict[str, None], good_call: GoodCall, lender_node: CallReceiver, lsp_role: Participant
) -> None:
    as_starters_do = good_call.send_header({"alg": "RS256", **kid, "b64": False})
    assert not lender_node.take(as_starters_do).passed
    lender_node.set_dialect(Dialect.AUTHSTARTER)
    two_keys = lender_node.take(as_starters_do).failure
    assert two_keys is not None
    assert two_keys.check.name == "kid_selects_a_registered_key"

    lender_node.participants[LSP] = replace(lsp_role, dialect=Dialect.AUTHSTARTER, keys=lsp_role.keys[::2])
    assert [key.status for key in lsp_role.keys[::2]] == [KeyStatus.ACTIVE, KeyStatus.BLOCKED]
    assert lender_node.take(as_starters_do).passed


def test_a_kid_that_an_official_starter_does_name_has_to_be_one_of_its_own(
    good_call: GoodCall, lender_node: CallReceiver, lsp_role: Participant
) -> None:
    lender_node.participants[LSP] = replace(lsp_role, dialect=Dialect.AUTHSTARTER, keys=lsp_role.keys[:1])
    for kid in ("someone-else", "", 5, ["lsp-2031-a"]):
        assert not lender_node.take(good_call.send_header({"alg": "RS256", "kid": kid, "b64": False})).passed


@pytest.mark.check("OCEN-JWS-05")
@pytest.mark.parametrize("kid", [{}, {"kid": None}, {"kid": ""}, {"kid": 5}, {"kid": ["lsp-2031-a"]}])
def test_a_key_that_the_registry_gives_without_a_kid_is_selected_by_no_other_peer(
    kid: dict[str, Any], good_call: GoodCall, lender_node: CallReceiver, lsp_role: Participant
) -> None:
    lender_node.participants[LSP] = replace(lsp_role, keys=(replace(lsp_role.keys[0], kid=""),))
    form = {"b64": False, "crit": ["b64"]}
    failure = lender_node.take(good_call.send_header({"alg": "RS256", **kid, **form})).failure
    assert failure is not None
    assert failure.check.name == "kid_selects_a_registered_key"


TOLERATED_CLAIMS: dict[str, dict[str, Any]] = {
    "no azp": {"azp": None},
    "further claims": {"jti": "1", "aud": "account", "realm_access": {"roles": ["LSP"]}, "typ": "Bearer"},
    "a binding to the sender's certificate": {"cnf": {"x5t#S256": base64url_encode(bytes.fromhex(LSP_CERTIFICATE))}},
    "an expiry that the clocks' difference explains": {"exp": SECONDS - 59},
    "a beginning that the clocks' difference explains": {"nbf": SECONDS + 60},
    "an nbf in the past": {"nbf": SECONDS - 60},
    "times with a fraction": {"exp": SECONDS + 60.5, "nbf": SECONDS - 60.25, "iat": SECONDS - 86_000.125},
    "times with a fraction of nought": {"exp": Decimal(f"{SECONDS + 60}.0"), "nbf": Decimal(f"{SECONDS}e0")},
}


@pytest.mark.check("OCEN-TOK-02")
@pytest.mark.parametrize("changes", TOLERATED_CLAIMS.values(), ids=TOLERATED_CLAIMS)
def test_a_token_may_say_more_and_clocks_may_differ_a_little(
    changes: dict[str, Any], good_call: GoodCall, lender_node: CallReceiver
) -> None:
    issued = {"iat": SECONDS - 86_000} if "exp" in changes else {}
    assert lender_node.take(good_call.send_claims(**{**issued, **changes})).passed


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_an_access_token_may_name_its_kind(typ: str, good_call: GoodCall, lender_node: CallReceiver) -> None:
    header = {"alg": "RS256", "kid": good_call.auth_key.kid, "typ": typ}
    assert lender_node.take(good_call.send_token(good_call.token(header=header))).passed


@pytest.mark.parametrize("members", [("orgId", "participantId"), ("originatorOrgId", "originatorParticipantId")])
def test_either_spelling_of_the_originator_is_enough(
    members: tuple[str, str], good_call: GoodCall, lender_node: CallReceiver
) -> None:
    assert lender_node.take(good_call.send_document(good_call.without_metadata(*members))).passed


ODDLY_WRITTEN: dict[str, Callable[[GoodCall], bytes]] = {
    "white space": lambda good: json.dumps(good.document, indent="\t").replace("\n", "\r\n").encode() + b" \n",
    "escapes": lambda good: good.payload.decode().replace("₹", "\\u20b9").replace("/", "\\/").encode(),
    "numbers": lambda good: good.payload[:-1] + b',"note":[1.0,1e2,12345678901234567890,-0]}',
    "another order": lambda good: dump_json(dict(list(good.document.items())[::-1])),
}


@pytest.mark.check("OCEN-JWS-25")
@pytest.mark.parametrize("written", ODDLY_WRITTEN.values(), ids=ODDLY_WRITTEN)
def test_a_body_counts_as_it_is_written(
    written: Callable[[GoodCall], bytes], call: GoodCall, lender_node: CallReceiver
) -> None:
    body = written(call)
    verdict = lender_node.judge(call.send_payload(body))
    assert isinstance(verdict, VerifiedMessage)
    assert verdict.payload == body


def test_the_backup_key_counts_at_any_time_here_too(call: GoodCall, lender_node: CallReceiver) -> None:
    assert lender_node.take(call.send_header({**call.header, "kid": call.backup_key.kid}, call.backup_key)).passed


def test_a_call_repeated_under_a_new_nonce_is_taken(call: GoodCall, lender_node: CallReceiver) -> None:
    assert lender_node.take(call.send()).passed
    assert lender_node.take(call.send_document(call.restamped(call.document))).passed


def test_where_the_registry_names_no_certificate_client_or_organisation_none_is_judged(
    good_call: GoodCall, lender_node: CallReceiver, lsp_role: Participant
) -> None:
    bare = replace(lsp_role, certificates=frozenset(), client_id="", organisation_id="")
    lender_node.participants[LSP] = bare
    assert lender_node.take(good_call.send_claims(azp="any-client")).passed
    other = good_call.with_metadata(orgId="Org-1", originatorOrgId="Org-1", requestId="request-2", traceId="trace-2")
    assert lender_node.take(good_call.send_document(other)).passed


def test_the_two_spellings_of_an_organisation_have_to_be_equal_even_where_the_registry_names_none(
    good_call: GoodCall, lender_node: CallReceiver, lsp_role: Participant
) -> None:
    lender_node.participants[LSP] = replace(lsp_role, organisation_id="")
    failure = lender_node.take(good_call.send_document(good_call.with_metadata(orgId="Org-1"))).failure
    assert failure is not None
    assert failure.check.name == "originator_is_the_token_holder"


@pytest.mark.parametrize("other", [{}, {"productNetworkId": None}])
def test_a_product_network_may_be_named_as_samples_do_and_is_not_judged_where_none_is_set(
    good_call: GoodCall, lender_node: CallReceiver, other: dict[str, None]
) -> None:
    network = next(iter(NETWORKS))
    as_in_samples = {**good_call.document, "productData": {"networkId": network, **other}}
    assert lender_node.take(good_call.send_document(as_in_samples)).passed
    lender_node.networks = {}
    unset = {**good_call.with_metadata(requestId="request-2", traceId="trace-2"), "productData": {}}
    assert lender_node.take(good_call.send_document(unset)).passed


def test_whoever_is_looked_up_has_to_be_whom_the_token_names(
    good_call: GoodCall, lender_node: CallReceiver, lender_role: Participant
) -> None:
    lender_node.participants[LSP] = lender_role
    failure = lender_node.take(good_call.send()).failure
    assert failure is not None
    assert failure.check.name == "token_holder_takes_part"


def test_a_key_of_the_auth_service_that_is_bound_to_another_algorithm_verifies_nothing(
    good_call: GoodCall, lsp_role: Participant, issuer: Issuer
) -> None:
    other = good_call.auth_key.bound_to("RS512")
    receiver = CallReceiver((lsp_role,), replace(issuer, keys={other.kid: other.public()}))
    for key in (good_call.auth_key, other):
        header = {"alg": "RS256", "kid": other.kid}
        failure = receiver.take(good_call.send_token(good_call.token(header=header, key=key))).failure
        assert failure is not None
        assert failure.check.name == "token_signature_verifies"
