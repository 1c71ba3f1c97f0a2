"""What a look-up makes of the registry's answers: who is callable and by which keys, and what does not count."""

import json
from typing import Any

import httpx
import pytest

from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.registry.member import Member
from shared.node.registry.service import NETWORK, USUAL
from shared.node.settings import RegistryMembership
from shared.protocol.encoding import EncodingError, dump_json, parse_json_object
from shared.protocol.messages import Role
from shared.protocol.participants import Dialect, KeyStatus
from tests.equipment.clock import FrozenClock
from tests.equipment.parties import identity_of, lsp, lsp_key
from tests.equipment.scripted_registry import ITEMS, ROLES, SECRET, TOKEN_PATH, URL, ScriptedRegistry, jwk_of, rs256


async def test_a_participant_has_keys_base_url_certificates_and_addresses(
    member: Member, registry: ScriptedRegistry
) -> None:
    registry.roles["3051"] |= {"tlsCertificates": [":".join(["AB"] * 32)], "kcClientId": "client-3051"}
    registry.keys["3051"].append(jwk_of(rs256("lsp backup")))
    registry.addresses["3051"] = [{"ipAddress": " 192.0.2.7 ", "portNumber": "443"}, {"ipAddress": "2001:db8::1/32"}]
    found = await member.lookup.participant("3051")
    assert found is not None
    assert (found.id, found.organisation_id, found.client_id) == ("3051", "901", "client-3051")
    assert (found.role, found.base_url) == (Role.LENDER, "https://3051.example/ocen")
    assert found.certificates == {"ab" * 32}
    assert [(key.kid, key.status) for key in found.keys] == [
        ("LENDER01-kid", KeyStatus.ACTIVE),
        ("lsp backup-kid", KeyStatus.BACKUP),
    ]
    assert {key.verifier.algorithm for key in found.keys} == {"RS256"}
    assert [str(network) for network in found.networks] == ["192.0.2.7/32", "2001:db8::/32"]


@pytest.mark.parametrize(
    "public_key",
    [
        json.dumps(jwk_of(rs256("LENDER01"))),
        jwk_of(rs256("LENDER01")),
        json.dumps({"keys": [jwk_of(rs256("LENDER01"))]}),
        rs256("LENDER01").public().to_pem(),
    ],
)
async def test_without_a_key_set_the_documented_public_key_counts_in_any_of_its_forms(
    member: Member, registry: ScriptedRegistry, public_key: Any
) -> None:
    del registry.keys["3051"]
    registry.roles["3051"]["publicKey"] = public_key
    found = await member.lookup.participant("3051")
    assert found is not None
    assert [key.verifier.thumbprint() for key in found.keys] == [rs256("LENDER01").public().thumbprint()]


@pytest.mark.parametrize(
    "change",
    [
        {"isApproved": False},
        {"isApproved": None},
        {"isApproved": "true"},
        {"participantRoleStatus": "UNDER_REVIEW"},
        {"baseUrl": ""},
        {"baseUrl": None},
        {"baseUrl": "http://3051.example/ocen"},
        {"baseUrl": "http://localhost:8443"},
        {"baseUrl": "https://user:secret@3051.example/"},
        {"baseUrl": "https://3051.example/?to="},
        {"baseUrl": "https://3051.example/#"},
        {"baseUrl": "file:///etc/passwd"},
        {"participantRole": "REGULATOR"},
        {"id": "3052"},
    ],
)
async def test_who_is_not_approved_or_has_no_https_place_of_its_own_is_nobody(
    member: Member, registry: ScriptedRegistry, change: dict[str, Any]
) -> None:
    registry.roles["3051"] |= change
    assert await member.lookup.participant("3051") is None


async def test_an_approval_as_official_starters_spell_it_counts(member: Member, registry: ScriptedRegistry) -> None:
    del registry.roles["3051"]["isApproved"]
    registry.roles["3051"]["approved"] = True
    assert await member.lookup.participant("3051") is not None


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "small"}],
        ["no key", None, 5],
        [{**jwk_of(rs256("LENDER01")), "use": "enc"}],
        [{**jwk_of(rs256("LENDER01")), "alg": "RS512"}],
    ],
)
async def test_who_has_no_key_that_can_be_used_is_nobody(
    member: Member, registry: ScriptedRegistry, keys: list[Any]
) -> None:
    registry.keys["3051"] = keys
    registry.roles["3051"]["publicKey"] = ""
    assert await member.lookup.participant("3051") is None


async def test_two_keys_count_and_the_first_of_a_kid(member: Member, registry: ScriptedRegistry) -> None:
    good = jwk_of(rs256("LENDER01"))
    registry.keys["3051"] = [
        good,
        jwk_of(rs256("lsp"), good["kid"]),
        jwk_of(rs256("lsp backup")),
        jwk_of(rs256("leaf")),
    ]
    found = await member.lookup.participant("3051")
    assert found is not None
    assert [key.verifier.thumbprint() for key in found.keys] == [
        rs256(owner).public().thumbprint() for owner in ("LENDER01", "lsp backup")
    ]


@pytest.mark.parametrize(
    "participant_id",
    ["", ".", "..", "3051/jwks", "../products/1", "3051?x=1", "3051#", "30 51", "3051\r\n", "%2e", "é"],
)
async def test_an_id_that_is_no_segment_of_a_path_is_nobodys_and_asked_for_nowhere(
    member: Member, registry: ScriptedRegistry, participant_id: str
) -> None:
    assert await member.lookup.participant(participant_id) is None
    assert registry.requests == []


async def test_listed_addresses_or_certificates_that_cannot_be_read_do_not_pass_for_none(
    member: Member, registry: ScriptedRegistry
) -> None:
    registry.addresses["3051"] = [{"ipAddress": "bank.example"}, "nothing"]  # type: ignore[list-item]
    with pytest.raises(CounterpartiesUnavailable, match="no address that the registry lists for 3051"):
        await member.lookup.participant("3051")
    registry.addresses["3051"].append({"ipAddress": "192.0.2.7"})
    registry.roles["3051"]["tlsCertificates"] = ["-----BEGIN CERTIFICATE-----"]
    with pytest.raises(CounterpartiesUnavailable, match="no TLS certificate that the registry lists for 3051"):
        await member.lookup.participant("3051")


@pytest.mark.parametrize("given", ["192.0.2.7", {"items": [{"ipAddress": "192.0.2.7"}]}, {}, "", 0, False, True])
async def test_what_should_be_a_list_of_addresses_or_certificates_and_is_none_does_not_pass_for_an_empty_one(
    member: Member, registry: ScriptedRegistry, given: Any
) -> None:
    registry.addresses["3051"] = given
    with pytest.raises(CounterpartiesUnavailable, match="as addresses of 3051 is no list"):
        await member.lookup.participant("3051")
    del registry.addresses["3051"]
    registry.roles["3051"]["tlsCertificates"] = given
    with pytest.raises(CounterpartiesUnavailable, match="as TLS certificates of 3051 is no list"):
        await member.lookup.participant("3051")


@pytest.mark.parametrize("pem", [5, ["-----BEGIN PUBLIC KEY-----"], True, "no PEM"])
async def test_a_key_that_cannot_be_read_does_not_hide_the_other(
    member: Member, registry: ScriptedRegistry, pem: Any
) -> None:
    registry.keys["3051"].insert(0, {"kid": "odd", "pem": pem})
    found = await member.lookup.participant("3051")
    assert found is not None
    assert [key.kid for key in found.keys] == ["LENDER01-kid"]


async def test_without_addresses_and_certificates_none_are_demanded(member: Member, registry: ScriptedRegistry) -> None:
    registry.addresses["3051"] = []
    found = await member.lookup.participant("3051")
    assert found is not None
    assert (found.networks, found.certificates) == ((), frozenset())


async def test_each_call_carries_our_token_and_one_that_is_refused_is_renewed_once(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    assert await member.lookup.participant("3051") is not None
    clock.advance(11)
    registry.refused = set(registry.issued)
    assert await member.lookup.participant("3051") is not None
    assert registry.asked(TOKEN_PATH) == 2
    registry.refused = {*registry.issued}
    clock.advance(1)
    with pytest.raises(CounterpartiesUnavailable, match="does not take our token"):
        await member.lookup.participant("3051")
    assert registry.asked(TOKEN_PATH) == 2


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(500),
        httpx.Response(403),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text="[" * 10_000),
        httpx.Response(200, text='{"id":"3051","id":"3052"}'),
        httpx.Response(200, content=b"\xff"),
    ],
)
@pytest.mark.parametrize("path", [f"{ROLES}3051", f"{ROLES}3051/jwks", f"{ITEMS}3051"])
async def test_any_other_answer_is_none(
    member: Member, registry: ScriptedRegistry, path: str, reply: httpx.Response
) -> None:
    registry.replies[path] = lambda _: httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
    with pytest.raises(CounterpartiesUnavailable):
        await member.lookup.participant("3051")


async def test_an_id_that_the_registry_cannot_have_is_nobodys_but_of_a_participant_everything_has_to_be_readable(
    member: Member, registry: ScriptedRegistry
) -> None:
    registry.replies[f"{ROLES}no-number"] = lambda _: httpx.Response(400)
    assert await member.lookup.participant("no-number") is None
    for path in (f"{ROLES}3051/jwks", f"{ITEMS}3051"):
        registry.replies = {path: lambda _: httpx.Response(400)}
        with pytest.raises(CounterpartiesUnavailable):
            await member.lookup.participant("3051")


async def test_an_address_of_a_network_is_quoted_and_its_members_are_the_approved_ones(
    member: Member, registry: ScriptedRegistry
) -> None:
    registry.networks["71"] = {
        "LENDER": [{"id": 3051, "isApproved": True}, {"id": 3052, "isApproved": False}, "nobody"],
        "LOAN_AGENT": [{"id": "3050", "approved": True}, {"isApproved": True}],
        "ADMIN": None,
    }
    assert await member.lookup.roles_of("71") == {"3051": "LENDER", "3050": "LOAN_AGENT"}
    assert await member.lookup.members("71") == {"3050", "3051"}
    assert await member.lookup.members("72") == frozenset()
    await member.lookup.members("../products/1")
    assert registry.requests[-1].url.raw_path == b"/service/product-networks/..%2Fproducts%2F1/participants"


def listing(size: int, **members: Any) -> dict[str, Any]:
    """The participants of a network, each with these members."""
    return {"LOAN_AGENT": [{"id": number, "isApproved": True, **members} for number in range(size)]}


async def test_a_network_is_read_that_no_message_could_be_as_large_as(
    member: Member, registry: ScriptedRegistry
) -> None:
    registry.networks["71"] = listing(6_000, publicKey="k" * 600, **{f"member {number}": "" for number in range(20)})
    assert len(await member.lookup.members("71")) == 6_000
    answer = dump_json(registry.networks["71"])
    assert len(answer) > 4 * USUAL.size
    with pytest.raises(EncodingError):
        parse_json_object(answer)


@pytest.mark.parametrize(
    ("size", "members", "complaint"),
    [
        (1, {"publicKey": "k" * NETWORK.size}, "answers with more than 16777216 bytes"),
        (NETWORK.values // 2, {}, "answers with no JSON: more than 400000 commas, braces and brackets"),
    ],
)
async def test_a_network_has_its_bounds(
    member: Member, registry: ScriptedRegistry, size: int, members: dict[str, Any], complaint: str
) -> None:
    registry.networks["71"] = listing(size, **members)
    with pytest.raises(CounterpartiesUnavailable, match=complaint):
        await member.lookup.members("71")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"participantLogo": "A" * USUAL.size}, "answers with more than 1048576 bytes"),
        ({"members": dict.fromkeys(map(str, range(USUAL.values)))}, "more than 40000 commas"),
    ],
)
async def test_one_participant_stays_within_the_bounds_of_a_message(
    member: Member, registry: ScriptedRegistry, change: dict[str, Any], complaint: str
) -> None:
    registry.roles["3051"] |= change
    with pytest.raises(CounterpartiesUnavailable, match=complaint):
        await member.lookup.participant("3051")


async def test_keys_of_the_auth_service_stay_within_the_bounds_of_a_message(
    member: Member, registry: ScriptedRegistry
) -> None:
    registry.jwks[0]["x5c"] = "A" * USUAL.size
    with pytest.raises(CounterpartiesUnavailable, match="answers with more than 1048576 bytes"):
        await member.service.jwks()


async def test_a_peer_signs_as_its_setting_says(registry: ScriptedRegistry, clock: FrozenClock) -> None:
    membership = RegistryMembership(URL, "3050", "client-1", SECRET, dialects={"3051": Dialect.AUTHSTARTER})
    member = Member(membership, identity_of(lsp(), lsp_key()), registry.transport, clock)
    lender, ourselves = await member.lookup.participant("3051"), await member.lookup.participant("3050")
    assert lender is not None
    assert ourselves is not None
    assert (lender.dialect, ourselves.dialect) == (Dialect.AUTHSTARTER, Dialect.STRICT)
    await member.aclose()
