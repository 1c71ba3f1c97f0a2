"""Participants by the operator plane: registration, steps of a life, changes, and what is refused without a trace."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry_app.store.roles import load_role
from shared.node.onboarding.record import thumbprint_of
from tests.equipment.clock import FrozenClock
from tests.equipment.forms import jwk
from tests.equipment.records import public_pem
from tests.node.certificates import CLIENT, SERVER, Authority, private_pem, rsa_key
from tests.registry.world import TOKEN_PATH, Client, World, registry_in


async def refused(world: World, method: str, path: str, status: int, **body: Any) -> str:
    """Ask in vain; the sentence that is answered, once nothing has changed."""
    before = world.contents()
    answer = await world.ops.request(method, path, **({"json": body} if method != "GET" else {}))
    assert answer.status_code == status, answer.text
    assert world.contents() == before
    return str(answer.json()["detail"])


async def test_a_registration_is_answered_with_the_credentials_this_once(world: World) -> None:
    answer = await world.ops.post("/participants", json=world.form())
    told = answer.json()
    assert answer.status_code == 201
    assert set(told) == {"participant", "client_id", "client_secret"}
    participant = told["participant"]
    moment = "2031-03-04T05:06:07.890Z"
    (key,), (certificate,) = participant.pop("keys"), participant.pop("tls_certificates")
    assert (key["kid"], key["pem"]) == ("Sandbox Lender-kid", public_pem("Sandbox Lender"))
    assert certificate["thumbprint"] == thumbprint_of(world.certificate("Sandbox Lender"))
    assert participant == {
        "id": "1",
        "client_id": told["client_id"],
        "role": "LENDER",
        "status": "APPLIED",
        "status_because": "",
        "base_url": "https://localhost:8444/credit",
        "organisation": {
            "id": "1",
            "name": "Sandbox Lender",
            "description": "",
            "website": "",
            "spoc_email": "ocen@bank.example",
            "spoc_phone": "+91 22 5550 0100",
        },
        "approved_by": "",
        "approved_at": None,
        "created_at": moment,
        "updated_at": moment,
        "offboarded_at": None,
    }
    for path in ("/participants", "/participants/1"):
        assert told["client_secret"] not in (await world.ops.get(path)).text


FORMS = [
    ({"name": ""}, "name: empty"),
    ({"base_url": "http://bank.example"}, "is not encrypted: give one that begins with https"),
    ({"base_url": "https://bank.example"}, "tls_certificate: does not name bank.example"),
    ({"tls_certificates": []}, "tls_certificates: none"),
    ({"tls_certificates": ["paste it here"]}, "tls_certificate: no certificate in PEM"),
    ({"public_key": ""}, "public_key: empty"),
    ({"public_key": "paste it here"}, "public_key: this is no public RSA key"),
    ({"public_key": json.dumps(jwk("bank", alg="RS512"))}, "public_key: the JWK is for alg RS512: give one for RS256"),
    ({"kid": ""}, "kid: empty"),
    ({"backup_kid": "second"}, "backup_public_key: empty"),
    ({"ip_addresses": ["0.0.0.0/0"]}, "ip_addresses: 0.0.0.0/0 is every address"),
    ({"ip_addresses": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]}, "ip_addresses: 4 addresses"),
    ({"spoc_email": "somebody@gmail.com"}, "spoc_email: gmail.com gives addresses to anybody"),
    ({"spoc_phone": "12"}, "spoc_phone: '12' is no telephone number"),
    ({"role": "BANK"}, "role: Input should be"),
    ({"role": "META_SERVICE"}, "role: Input should be"),
    ({"colour": "blue"}, "colour: Extra inputs are not permitted"),
]


FIELDS = {"name", "role", "base_url", "public_key", "tls_certificates", "spoc_email", "spoc_phone"}


@pytest.mark.parametrize(("changes", "complaint"), FORMS, ids=[complaint for _, complaint in FORMS])
async def test_a_form_with_an_error_is_refused(world: World, changes: dict[str, Any], complaint: str) -> None:
    said = await refused(world, "POST", "/participants", 422, **world.form(**changes))
    assert complaint in said


async def test_private_keys_and_weak_keys_are_refused(world: World) -> None:
    for material in (private_pem(rsa_key("Sandbox Lender")).decode(), public_pem("weak", 1024)):
        said = await refused(world, "POST", "/participants", 422, **world.form(public_key=material))
        assert said.startswith("public_key: ")
        assert "BEGIN" not in said


async def test_a_jwk_for_the_algorithm_of_ocen_4_is_taken(world: World) -> None:
    await world.admit(public_key=json.dumps(jwk("bank", "own", alg="RS256")), kid="")


async def test_all_errors_of_a_form_are_told_at_once(world: World) -> None:
    form = world.form(name="", spoc_phone="", public_key="")
    said = await refused(world, "POST", "/participants", 422, **form)
    assert [error.partition(":")[0] for error in said.split("; ")] == ["name", "public_key", "spoc_phone"]


async def test_an_empty_form_is_told_all_that_is_asked_for_and_the_schema_marks_it(world: World) -> None:
    said = await refused(world, "POST", "/participants", 422)
    schemas = (await world.ops.get("/openapi.json")).json()["components"]["schemas"]
    told = {error.partition(":")[0] for error in said.split("; ") if error.partition(":")[0] in FIELDS}
    assert told == set(schemas["RegistrationForm"]["required"]) == FIELDS
    assert "role: empty: write one of LENDER, LOAN_AGENT, " in said
    assert schemas["KeysForm"]["required"] == ["public_key"]


async def test_an_organisation_has_each_role_once_under_an_id_of_its_own(world: World, lender: Client) -> None:
    said = await refused(
        world, "POST", "/participants", 409, **world.form(public_key=public_pem("another"), kid="another")
    )
    assert "Sandbox Lender is LENDER already, as participant 1" in said
    agent = await world.admit(role="LOAN_AGENT", public_key=public_pem("another"), kid="another")
    listed = (await world.ops.get("/participants")).json()["items"]
    assert [(participant["id"], participant["organisation"]["id"], participant["role"]) for participant in listed] == [
        (lender.participant_id, "1", "LENDER"),
        (agent.participant_id, "1", "LOAN_AGENT"),
    ]
    assert agent.participant_id != lender.participant_id


async def test_what_is_anothers_is_not_registered_again(world: World, lender: Client) -> None:
    for changes in ({"public_key": public_pem("Sandbox Lender")}, {"kid": "Sandbox Lender-kid"}):
        said = await refused(world, "POST", "/participants", 409, **world.form("Second Bank", **changes))
        assert said.startswith("keys: ")
    stolen = {"tls_certificates": [world.certificate("Sandbox Lender")]}
    said = await refused(world, "POST", "/participants", 409, **world.form("Second Bank", **stolen))
    assert said.startswith("tls_certificates: registered for another participant")


async def test_who_was_offboarded_may_come_again_with_the_same_keys(world: World, lender: Client) -> None:
    await world.act(lender, "offboard", reason="moved")
    again = await world.admit()
    assert again.participant_id != lender.participant_id
    assert (await world.caller.post(TOKEN_PATH, data=lender.form)).status_code == 401
    assert await world.token(again)


@pytest.mark.parametrize(
    ("steps", "refusal"),
    [
        ("", "suspend"),
        ("approve", "approve"),
        ("approve", "reject"),
        ("reject", "reject"),
        ("reject", "suspend"),
        ("approve suspend", "suspend"),
    ],
)
async def test_a_step_out_of_order_is_refused(world: World, steps: str, refusal: str) -> None:
    client = await world.register()
    for step in steps.split():
        assert (await world.act(client, step)).status_code == 200
    said = await refused(world, "POST", f"/participants/{client.participant_id}/{refusal}", 409)
    assert said.startswith("participant 1 is ")


async def test_each_step_is_kept_with_who_and_why(world: World) -> None:
    client = await world.register()
    approved = (await world.act(client, "approve", approved_by="SRO", reason="papers seen")).json()
    assert (approved["status"], approved["approved_by"], approved["status_because"]) == (
        "APPROVED",
        "SRO",
        "papers seen",
    )
    assert approved["approved_at"] == "2031-03-04T05:06:07.890Z"
    suspended = (await world.act(client, "suspend", reason="complaint")).json()
    assert (suspended["status"], suspended["approved_by"], suspended["approved_at"]) == ("UNDER_REVIEW", "", None)
    assert suspended["status_because"] == "complaint"


async def test_offboarding_removes_every_resource_and_nothing_brings_it_back(world: World, lender: Client) -> None:
    product = (await world.ops.post("/products", json={"name": "Gig loans"})).json()["id"]
    network = {"name": "Gig", "product_id": product, "members": [lender.participant_id]}
    assert (await world.ops.post("/networks", json=network)).status_code == 201
    filter_ = {
        "network_id": "1",
        "participant_id": "1",
        "requirement_name": "BUREAU_SCORE",
        "operator": "EQUALS,",
    }
    assert (await world.ops.post("/lender-network-filters", json={**filter_, "value": "1"})).status_code == 201
    gone = (await world.act(lender, "offboard", reason="bankrupt")).json()
    assert (gone["offboarded_at"], gone["status_because"]) == ("2031-03-04T05:06:07.890Z", "bankrupt")
    assert (await world.ops.get("/networks")).json()["items"][0]["members"] == []
    for path in ("/whitelisting-items", "/lender-network-filters", "/participants"):
        assert (await world.ops.get(path)).json()["items"] == []
    assert [item["id"] for item in (await world.ops.get("/participants?offboarded=true")).json()["items"]] == ["1"]
    for step in ("approve", "suspend", "reject", "offboard", "secret"):
        assert "1 is no participant now" in await refused(world, "POST", f"/participants/1/{step}", 404)
    keys = {"public_key": public_pem("another"), "kid": "another"}
    await refused(world, "PUT", "/participants/1/keys", 404, **keys)
    await refused(world, "PATCH", "/participants/1", 404, description="x")
    assert (await world.ops.get("/participants/1")).status_code == 200


async def test_new_keys_take_the_place_of_the_former(world: World, lender: Client) -> None:
    path = f"/participants/{lender.participant_id}/keys"
    keys = {
        "public_key": public_pem("new"),
        "kid": "new",
        "backup_public_key": public_pem("Sandbox Lender"),
        "backup_kid": "Sandbox Lender-kid",
    }
    answer = await world.ops.put(path, json=keys)
    assert [key["kid"] for key in answer.json()["keys"]] == ["new", "Sandbox Lender-kid"]
    served = await world.caller.get("/service/participant-roles/1/jwks", headers=await world.bearer(lender))
    assert [key["kid"] for key in served.json()["keys"]] == ["new", "Sandbox Lender-kid"]
    assert "the same key as public_key" in await refused(
        world, "PUT", path, 422, **{**keys, "backup_public_key": public_pem("new")}
    )
    await world.admit("Second Bank")
    taken = {"public_key": public_pem("Second Bank"), "kid": "x"}
    assert "another participant's" in await refused(world, "PUT", path, 409, **taken)


async def test_base_url_and_certificates_have_to_fit_each_other(world: World, lender: Client) -> None:
    path = f"/participants/{lender.participant_id}"
    moved = await world.ops.patch(path, json={"base_url": "https://127.0.0.1:9000/v4.0.0alpha/loan"})
    assert moved.json()["base_url"] == "https://127.0.0.1:9000"
    assert "does not name bank.example" in await refused(world, "PATCH", path, 422, base_url="https://bank.example")
    renewed = Authority().issue(world.folder / "renewed", "renewed").pem
    answer = await world.ops.patch(path, json={"tls_certificates": [world.certificate("Sandbox Lender"), renewed]})
    assert len(answer.json()["tls_certificates"]) == 2
    assert "tls_certificates: none" in await refused(world, "PATCH", path, 422, tls_certificates=[])
    other = await world.register("Second Bank")
    stolen = {"tls_certificates": [renewed]}
    assert "registered for another participant" in await refused(
        world, "PATCH", f"/participants/{other.participant_id}", 409, **stolen
    )


async def test_a_kid_keeps_its_key_and_a_key_that_was_taken_out_may_come_back(world: World, lender: Client) -> None:
    path, first = f"/participants/{lender.participant_id}/keys", {"public_key": public_pem("Sandbox Lender")}
    assert (await world.ops.put(path, json={"public_key": public_pem("new"), "kid": "new"})).status_code == 200
    before = world.contents()
    said = await refused(world, "PUT", path, 409, public_key=public_pem("third"), kid="Sandbox Lender-kid")
    assert "kid Sandbox Lender-kid has been used for another key (RETIRED)" in said
    assert world.contents() == before
    answer = await world.ops.put(path, json={**first, "kid": "Sandbox Lender-kid"})
    assert [key["kid"] for key in answer.json()["keys"]] == ["Sandbox Lender-kid"]
    with world.engine.connect() as connection:
        role = load_role(connection, 1)
    assert role is not None
    assert {key.kid: [event.status for event in key.events] for key in role.history.keys} == {
        "Sandbox Lender-kid": ["ACTIVE", "RETIRED", "ACTIVE"],
        "new": ["ACTIVE", "RETIRED"],
    }


async def test_a_participant_may_serve_with_one_certificate_and_call_with_another(world: World) -> None:
    serves = Authority().issue(world.folder / "serves", "serves", usages=(SERVER,)).pem
    calls = Authority().issue(world.folder / "calls", "calls", usages=(CLIENT,)).pem
    said = await refused(world, "POST", "/participants", 422, **world.form(tls_certificates=[serves]))
    assert said.startswith("tls_certificates: none is made for calling: add one with clientAuth")
    client = await world.admit(tls_certificates=[serves, calls])
    path = f"/participants/{client.participant_id}"
    shown = (await world.ops.get(path)).json()["tls_certificates"]
    assert sorted(certificate["uses"] for certificate in shown) == [["calling"], ["serving"]]
    assert "none is made for serving" in await refused(world, "PATCH", path, 422, tls_certificates=[calls])
    detail = await world.caller.get("/service/participant-roles/1", headers=await world.bearer(client))
    assert set(detail.json()["tlsCertificates"]) == {certificate["thumbprint"] for certificate in shown}


async def test_contact_and_description_change_for_the_organisation(world: World, lender: Client) -> None:
    path = f"/participants/{lender.participant_id}"
    world.clock.advance(60)
    changes = {"spoc_email": "new@bank.example", "description": "A bank", "website": "https://bank.example"}
    answer = await world.ops.patch(path, json=changes)
    organisation = answer.json()["organisation"]
    assert {name: organisation[name] for name in changes} == changes
    assert organisation["spoc_phone"] == "+91 22 5550 0100"
    assert answer.json()["updated_at"] == "2031-03-04T05:07:07.890Z"
    assert "spoc_phone" in await refused(world, "PATCH", path, 422, spoc_phone="none")


async def test_who_was_never_registered_is_not_found(world: World) -> None:
    assert "GET /participants lists who is" in await refused(world, "GET", "/participants/7", 404)
    assert "participant_id" in await refused(world, "GET", "/participants/abc", 422)


@pytest.mark.on_both_databases
async def test_a_change_in_one_process_counts_in_the_other_at_once(tmp_path: Path, database_url: str) -> None:
    clock = FrozenClock()
    async with registry_in(tmp_path, database_url, clock) as first, registry_in(tmp_path, database_url, clock) as other:
        client = await first.admit()
        bearer = await first.bearer(client)
        assert (await other.caller.get("/service/participant-roles/1", headers=bearer)).status_code == 200
        await first.act(client, "suspend")
        assert (await other.caller.get("/service/participant-roles/1", headers=bearer)).status_code == 401
