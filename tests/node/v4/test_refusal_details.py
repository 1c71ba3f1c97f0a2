"""A refusal says what would have been right and what was found, so that whoever gets it can correct it."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.node.tables import INBOX
from shared.protocol.encoding import base64url_encode, dump_json
from shared.transport.tls import thumbprint
from tests.equipment.member_pair import AGENT, BANK, NETWORK, MemberPair, body_of, member_pair
from tests.equipment.parties import LENDER_CERTIFICATE
from tests.equipment.scripted_registry import jwk_of, rs256
from tests.equipment.storage import rows
from tests.node.v4.test_member_exchange import ack_of

STARTERS = "only from a peer set to authstarter"
UNKNOWN = b"a certificate of nobody"


async def told(pair: MemberPair, body: bytes | None = None, **request: Any) -> tuple[str, str, str]:
    """The check by which a message is refused, what it expected, and what it found."""
    answer = await pair.post(body, **request)
    assert answer.status in (401, 403)
    assert rows(pair.bank.engine, INBOX) == []
    detail = ack_of(answer)["detail"]
    return detail["check"], detail["expected"], detail["found"]


def signed_with(pair: MemberPair, **header: Any) -> dict[str, str]:
    """The headers of a call whose signed header is this one; what it says of the form is all that will be looked at."""
    text = base64url_encode(dump_json({"alg": "RS256", "b64": False, **header}))
    return {**pair.headers(body_of()), "signature": f"{text}..{base64url_encode(b'a signature')}"}


@pytest.mark.parametrize(
    ("members", "named", "found"),
    [
        ((BANK,), NETWORK, f"{AGENT} is not in it"),
        ((AGENT,), NETWORK, f"we, {BANK}, are not in it"),
        ((), NETWORK, f"{AGENT} is not in it; we, {BANK}, are not in it"),
        ((AGENT, BANK), "72", f"72 is none of ours, which are {NETWORK}"),
    ],
)
async def test_it_says_who_is_missing_in_the_product_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: tuple[str, ...], named: str, found: str
) -> None:
    async with member_pair(tmp_path, monkeypatch, networks=(NETWORK,)) as pair:
        pair.registry.networks[NETWORK] = {"ALL": [{"id": id_, "isApproved": True} for id_ in members]}
        body = dump_json({**json.loads(body_of()), "productData": {"productNetworkId": named}})
        expected = f"product network {named} with both parties as members"
        assert await told(pair, body) == ("both_are_in_the_product_network", expected, found)


@pytest.mark.parametrize("listed", [True, False])
async def test_it_says_whose_certificate_was_shown_where_that_is_known(pair: MemberPair, listed: bool) -> None:
    assert await pair.bank.directories["v4"].receiver(BANK) is not None
    if not listed:
        del pair.registry.roles[AGENT]["tlsCertificates"]
    check, _, found = await told(pair, certificate=LENDER_CERTIFICATE)
    shown = f"sha256 {thumbprint(LENDER_CERTIFICATE)[:16]}..."
    assert (check, found) == ("certificate_is_the_token_holders", f"{shown}, which is {BANK}'s")


async def test_it_says_nothing_of_the_owner_of_a_certificate_that_is_not_known(pair: MemberPair) -> None:
    _, _, found = await told(pair, certificate=UNKNOWN)
    assert found == f"sha256 {thumbprint(UNKNOWN)[:16]}..."


async def test_it_lists_the_kids_that_are_registered(pair: MemberPair) -> None:
    pair.registry.keys[AGENT].append(jwk_of(rs256("lsp backup")))
    kids = ", ".join(key["kid"] for key in pair.registry.keys[AGENT])
    expected = f"the kid of a registered key of {AGENT}: {kids}"
    check = "kid_selects_a_registered_key"
    assert await told(pair, headers=signed_with(pair, kid="another")) == (check, expected, "another")
    without = f"{expected}; none {STARTERS} that has one key"
    assert await told(pair, headers=signed_with(pair)) == (check, without, "absent or null")


async def test_it_says_from_whom_b64_without_crit_is_taken(pair: MemberPair) -> None:
    expected = f"RFC 7797 with crit, or RFC 7515 Appendix F; b64 false without crit {STARTERS}"
    check, found = "form_is_one_that_the_peer_may_use", "the body as it is, without crit"
    assert await told(pair, headers=signed_with(pair, kid="lsp-kid")) == (check, expected, found)
