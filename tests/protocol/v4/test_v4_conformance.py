"""Which conformance checks of OCEN 4.0 the rows of the tampering table show, each as the check asks for it."""

from collections.abc import Mapping

import pytest
from _pytest.mark.structures import ParameterSet

from shared.protocol.problems import Problem
from shared.protocol.tampering import V4_TAMPERINGS, GoodCall, Tampering
from tests.protocol.v4.call_receiver import CallReceiver

ROWS = {row.name: row for row in V4_TAMPERINGS}

SHOWN_BY: Mapping[str, tuple[str, ...]] = {
    "OCEN-TOK-01": ("token_missing", "authorization_", "token_in_the_query", "token_in_the_body"),
    "OCEN-TOK-02": ("token_that_", "token_without_", "token_with_exp_", "token_with_nbf_"),
    "OCEN-TOK-03": (
        "issuer_with_",
        "token_signed_by_a_stranger",
        "token_kid_unknown",
        "token_of_the_senders_own_making",
    ),
    "OCEN-TOK-04": (
        "token_algorithm_",
        "token_not_signed",
        "token_mac_",
        "token_key_location_",
        "token_brings_its_key",
    ),
    "OCEN-TOK-05": (
        "token_of_another_participant",
        "authorized_party_is_",
        "participant_id_is_",
        "product_network_is_",
    ),
    "OCEN-DET-01": ("signature_missing", "signature_empty", "signature_twice", "signatures_", "signature_has_"),
    "OCEN-DET-02": ("embedded", "embedded_for_another_body"),
    "OCEN-DET-03": ("body_with_", "body_compressed", "body_empty", "signed_over_"),
    "OCEN-DET-04": ("unencoded_", "header_has_b64_", "signed_over_the_body_in_the_other_form"),
    "OCEN-DET-05": ("signed_with_", "algorithm_called_"),
    "OCEN-JWS-01": ("algorithm_none", "algorithm_None", "algorithm_nOnE", "no_signature_and_algorithm_"),
    "OCEN-JWS-02": ("mac_with_public_key_as_",),
    "OCEN-JWS-04": ("algorithm_called_", "algorithm_missing", "algorithm_as_a_number"),
    "OCEN-JWS-05": ("kid_missing", "kid_is_null", "kid_is_an_empty_text", "kid_is_a_number", "kid_is_a_list"),
    "OCEN-JWS-06": ("kid_unknown", "kid_is_a_", "kid_enormous"),
    "OCEN-JWS-08": ("kid_of_another_participant", "forwarded", "sent_in_the_name_of_the_sender"),
    "OCEN-JWS-10": ("body_with_", "header_with_"),
    "OCEN-JWS-11": ("signature_with_", "signature_empty", "signature_has_no_signature", "signed_over_another_body"),
    "OCEN-JWS-12": ("header_member_twice_",),
    "OCEN-JWS-13": ("payload_member_twice_",),
    "OCEN-JWS-16": ("header_has_a_crit_", "header_also_has_a_critical_", "header_also_has_exp_"),
    "OCEN-JWS-18": ("embedded_key", "embedded_certificate"),
    "OCEN-JWS-19": ("key_location_",),
    "OCEN-JWS-21": ("rewritten_",),
    "OCEN-JWS-22": ("rewritten_header_surplus_bits", "rewritten_signature_surplus_bits"),
    "OCEN-JWS-23": ("body_too_large", "header_too_large"),
    "OCEN-JWS-24": ("payload_is_", "payload_in_", "payload_with_"),
    "OCEN-RPL-01": ("replayed",),
    "OCEN-RPL-06": ("replayed_at_another_path", "nonce_used_at_another_path", "request_id_at_", "forwarded"),
    "OCEN-TLS-05": ("forwarded",),
}
"""Rows by name, or where it ends in an underscore by how their names begin."""


def rows_of(check: str) -> list[Tampering[GoodCall]]:
    starts = tuple(name for name in SHOWN_BY[check] if name.endswith("_"))
    return [row for name, row in ROWS.items() if name in SHOWN_BY[check] or name.startswith(starts)]


def each_check() -> list[ParameterSet]:
    return [
        pytest.param(row, marks=pytest.mark.check(check), id=f"{check} {row.name}")
        for check in SHOWN_BY
        for row in rows_of(check)
    ]


@pytest.mark.parametrize("row", each_check())
def test_what_a_conformance_check_sends_is_refused_with_a_code_and_never_with_a_failure(
    row: Tampering[GoodCall], good_call: GoodCall, lender_node: CallReceiver
) -> None:
    *before, spoiled = row.messages(good_call)
    for message in before:
        lender_node.take(message)

    problem = lender_node.take(spoiled).problem

    assert problem is row.problem
    assert 400 <= problem.status < 500


@pytest.mark.parametrize("check", SHOWN_BY)
def test_every_name_in_the_list_is_that_of_a_row(check: str) -> None:
    names = [row.name for row in rows_of(check)]
    assert all(any(name.startswith(wanted) for name in names) for wanted in SHOWN_BY[check])


@pytest.mark.check("OCEN-TOK-01", "OCEN-TOK-02", "OCEN-TOK-03", "OCEN-TOK-04")
def test_a_token_that_does_not_count_is_refused_as_one_and_with_401() -> None:
    problems = {row.problem for check in SHOWN_BY if "TOK" in check and check[-1] < "5" for row in rows_of(check)}
    assert problems == {Problem.TOKEN}
    assert Problem.TOKEN.status == 401


@pytest.mark.check("OCEN-TOK-05")
def test_a_good_token_in_the_wrong_hands_is_refused_with_403() -> None:
    assert {row.problem for row in rows_of("OCEN-TOK-05")} == {Problem.SENDER}
    assert Problem.SENDER.status == 403


@pytest.mark.check("OCEN-DET-01", "OCEN-DET-02", "OCEN-DET-05")
def test_a_signature_that_does_not_count_is_refused_with_401() -> None:
    problems = {row.problem for check in ("OCEN-DET-01", "OCEN-DET-02", "OCEN-DET-05") for row in rows_of(check)}
    assert problems == {Problem.SIGNATURE}
    assert Problem.SIGNATURE.status == 401
