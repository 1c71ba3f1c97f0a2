"""The read operations of the registry: the shapes of the API description, and only of those who are approved."""

import json
from typing import Any

import pytest
from jwcrypto.jwk import JWK, JWKSet

from shared.catalogue.bodies.v4.registry import (
    CreditProductAnswer,
    IndexedProductNetworkParticipants,
    JsonWebKeySet,
    LenderNetworkFilter,
    ParticipantDetail,
    ServerWhitelistingItem,
)
from shared.node.onboarding.record import thumbprint_of
from tests.equipment.records import public_pem
from tests.registry.world import Client, World

ROLES = {
    "LENDER",
    "LOAN_AGENT",
    "DISBURSEMENT_PARTNER",
    "COLLECTIONS_PARTNER",
    "DERIVED_DATA_PARTNER",
    "KYC_PARTNER",
    "ADMIN",
    "REGULATOR",
}


async def look_up(world: World, client: Client, path: str, status: int = 200) -> Any:
    answer = await world.caller.get(f"/service{path}", headers=await world.bearer(client))
    assert answer.status_code == status, answer.text
    return answer.json()


async def create(world: World, path: str, **form: Any) -> str:
    answer = await world.ops.post(path, json=form)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_participant_is_shown_with_key_and_base_url(world: World, lender: Client) -> None:
    told = await look_up(world, lender, f"/participant-roles/{lender.participant_id}")
    moment = "2031-03-04T05:06:07.890Z"
    key = JWK.from_json(told.pop("publicKey"))
    assert key.export_to_pem().decode() == public_pem("Sandbox Lender")
    assert told == {
        "id": lender.participant_id,
        "participantRole": "LENDER",
        "participantRoleStatus": "APPROVED",
        "isApproved": True,
        "approved": True,
        "approvedBy": "SRO",
        "approvedOn": moment,
        "createdOn": moment,
        "updatedOn": moment,
        "baseUrl": "https://localhost:8444/credit",
        "kcClientId": lender.client_id,
        "tlsCertificates": [thumbprint_of(world.certificate("Sandbox Lender"))],
        "participant": {
            "id": 1,
            "participantName": "Sandbox Lender",
            "participantDescription": "",
            "participantLogo": None,
            "participantLogoContentType": None,
            "participantWebsite": "",
            "participantEmail": "ocen@bank.example",
            "participantPhone": "+91 22 5550 0100",
            "createdOn": moment,
            "updatedOn": moment,
        },
    }


async def test_no_look_up_ever_holds_a_secret(world: World, lender: Client) -> None:
    told = json.dumps(await look_up(world, lender, f"/participant-roles/{lender.participant_id}"))
    assert "ecret" not in told
    assert lender.client_secret not in told


async def test_both_keys_of_a_participant_are_in_its_key_set(world: World) -> None:
    lender = await world.admit(backup_public_key=public_pem("back-up"), backup_kid="second kid")
    told = await look_up(world, lender, f"/participant-roles/{lender.participant_id}/jwks")
    assert [(key["kid"], key["use"], key["alg"]) for key in told["keys"]] == [
        ("Sandbox Lender-kid", "sig", "RS256"),
        ("second kid", "sig", "RS256"),
    ]
    second = JWKSet.from_json(json.dumps(told)).get_key("second kid")
    assert second is not None
    assert second.export_to_pem().decode() == public_pem("back-up")
    detail = await look_up(world, lender, f"/participant-roles/{lender.participant_id}")
    assert json.loads(detail["publicKey"]) == told["keys"][0]


async def test_a_product_is_shown_in_data(world: World, lender: Client) -> None:
    number = await create(
        world, "/products", name="Gig loans", description="For drivers", is_aa_flow_required=True,
        derived_data_description="trips", created_by=lender.participant_id,
    )  # fmt: skip
    told = await look_up(world, lender, f"/products/{number}")
    creator = told["data"].pop("productCreatedBy")
    assert (creator["id"], creator["participantRole"], creator["isApproved"]) == (1, "LENDER", True)
    assert told == {
        "data": {
            "name": "Gig loans",
            "productName": "Gig loans",
            "description": "For drivers",
            "productDescription": "For drivers",
            "isPrivate": False,
            "isEndUseControlled": False,
            "isCollectionControlled": False,
            "isAAFlowRequired": True,
            "isMonitoringConsentRequired": False,
            "isDerivedDataPartnerRequired": False,
            "derivedDataDescription": "trips",
        }
    }


async def test_the_participants_of_a_network_are_an_array_for_each_role(world: World, lender: Client) -> None:
    agent, second = await world.admit("Sandbox LSP", "LOAN_AGENT"), await world.admit("Second Bank")
    waiting = await world.register("Third Bank")
    members = [member.participant_id for member in (lender, agent, second, waiting)]
    product = await create(world, "/products", name="Gig loans")
    number = await create(world, "/networks", name="Gig network", product_id=product, members=members)
    told = await look_up(world, agent, f"/product-networks/{number}/participants")
    assert set(told) == ROLES
    assert {role: [participant["id"] for participant in told[role]] for role in ROLES if told[role]} == {
        "LENDER": [1, 3],
        "LOAN_AGENT": [2],
    }
    (shown, _) = told["LENDER"]
    assert (shown["baseUrl"], shown["participant"]["participantName"]) == (
        "https://localhost:8444/credit",
        "Sandbox Lender",
    )
    await world.act(second, "suspend")
    told = await look_up(world, agent, f"/product-networks/{number}/participants")
    assert [participant["id"] for participant in told["LENDER"]] == [1]


async def test_a_filter_is_shown_with_its_network_and_its_lender(world: World, lender: Client) -> None:
    product = await create(world, "/products", name="Gig loans")
    network = await create(
        world, "/networks", name="Gig network", product_id=product, members=[lender.participant_id],
        created_by=lender.participant_id,
    )  # fmt: skip
    number = await create(
        world, "/lender-network-filters", network_id=network, participant_id=lender.participant_id,
        requirement_name="MAXIMUM_AMOUNT", operator="EQUALS", value="50000",
    )  # fmt: skip
    told = await look_up(world, lender, f"/lender-network-filters/{number}")
    assert (told["id"], told["requirementName"], told["operator"], told["value"]) == (
        1, "MAXIMUM_AMOUNT", "EQUALS,", "50000",
    )  # fmt: skip
    assert told["participantId"]["participantRole"] == "LENDER"
    network_told = told["productNetwork"]
    assert (network_told["productNetworkName"], network_told["creditProduct"]["name"]) == ("Gig network", "Gig loans")
    assert [participant["id"] for participant in network_told["participantRoles"]] == [1]
    assert network_told["networkCreatedBy"]["id"] == 1
    await world.act(lender, "suspend")
    other = await world.admit("Sandbox LSP", "LOAN_AGENT")
    await look_up(world, other, f"/lender-network-filters/{number}", 404)


async def test_addresses_are_shown_one_by_one_and_by_participant(world: World, lender: Client) -> None:
    number = await create(
        world, "/whitelisting-items", participant_id=lender.participant_id, ip_address="192.0.2.9", port_number="8444"
    )
    one = await look_up(world, lender, f"/server-whitelisting-items/{number}")
    assert (one["id"], one["ipAddress"], one["portNumber"]) == (2, "192.0.2.9", "8444")
    assert one["participantRole"]["id"] == 1
    told = await look_up(world, lender, f"/participant-roles/server-whitelisting-items/{lender.participant_id}")
    assert [item["ipAddress"] for item in told] == ["192.0.2.7", "192.0.2.9"]


@pytest.mark.parametrize("path", ["/participant-roles/2", "/participant-roles/2/jwks", "/server-whitelisting-items/2",
                                  "/participant-roles/server-whitelisting-items/2"])  # fmt: skip
async def test_who_is_not_approved_is_not_told_of(world: World, lender: Client, path: str) -> None:
    client = await world.register("Second Bank")
    await look_up(world, lender, path, 404)
    for step, status in (("reject", 404), ("approve", 200), ("suspend", 404), ("approve", 200), ("offboard", 404)):
        await world.act(client, step)
        await look_up(world, lender, path, status)


@pytest.mark.parametrize(
    "path",
    ["/products/{}", "/product-networks/{}/participants", "/lender-network-filters/{}", "/participant-roles/{}",
     "/server-whitelisting-items/{}", "/participant-roles/server-whitelisting-items/{}", "/participant-roles/{}/jwks"],
)  # fmt: skip
async def test_an_unknown_id_is_not_found_and_a_text_that_is_no_id_is_a_mistake(world: World, path: str) -> None:
    lender = await world.admit()
    await look_up(world, lender, path.format("999999999"), 404)
    for number in ("0", "-1", "1.0", "abc", "01", "1" * 10, "%00", "1_0", "%D9%A1"):
        assert set(await look_up(world, lender, path.format(number), 400)) == {"detail"}


async def test_a_path_that_is_not_there_and_a_method_that_is_not_are_refused(world: World) -> None:
    lender = await world.admit()
    await look_up(world, lender, "/nowhere", 404)
    answer = await world.caller.post("/service/products/1", headers=await world.bearer(lender))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_a_path_with_a_slash_too_much_sends_nobody_elsewhere(world: World) -> None:
    headers = {"host": "attacker.example"}
    answer = await world.caller.get("/service/participant-roles/1/", headers=headers)
    assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_the_models_of_the_catalogue_read_what_is_answered(world: World, lender: Client) -> None:
    product = await create(world, "/products", name="Gig loans")
    network = await create(world, "/networks", name="Gig", product_id=product, members=[lender.participant_id])
    await create(
        world, "/lender-network-filters", network_id=network, participant_id=lender.participant_id,
        requirement_name="BUREAU_SCORE", operator="GREATER_THAN", value="700",
    )  # fmt: skip
    detail = ParticipantDetail.model_validate(await look_up(world, lender, "/participant-roles/1"))
    assert (detail.id, detail.is_approved, detail.kc_client_id) == ("1", True, lender.client_id)
    keys = JsonWebKeySet.model_validate(await look_up(world, lender, "/participant-roles/1/jwks"))
    assert [key.kid for key in keys.keys] == ["Sandbox Lender-kid"]
    indexed = IndexedProductNetworkParticipants.model_validate(
        await look_up(world, lender, "/product-networks/1/participants")
    )
    assert [found.base_url for found in indexed.lender] == [detail.base_url]
    shown = CreditProductAnswer.model_validate(await look_up(world, lender, "/products/1"))
    assert shown.data.name == "Gig loans"
    assert LenderNetworkFilter.model_validate(await look_up(world, lender, "/lender-network-filters/1")).value == "700"
    item = ServerWhitelistingItem.model_validate(await look_up(world, lender, "/server-whitelisting-items/1"))
    assert (item.ip_address, item.port_number) == ("192.0.2.7", "8444")


def test_a_model_reads_ids_as_numbers_and_as_text() -> None:
    members = {"participantRole": "LENDER"}
    assert [ParticipantDetail.model_validate({**members, "id": id_}).id for id_ in (3051, "3051")] == ["3051"] * 2
