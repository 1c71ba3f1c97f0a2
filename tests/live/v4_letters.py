"""Calls of OCEN 4.0 written by hand: bodies under the metadata of now, tokens of the Auth Service, and who signs."""

import json
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from sandbox.network import SECRET_FILE
from shared.catalogue.table import find_message
from shared.node.identity import load_identity, load_own_key
from shared.node.ids import new_id
from shared.node.registry.service import JWKS_PATH, TOKEN_PATH
from shared.protocol.detached import seal_detached
from shared.protocol.encoding import dump_json
from shared.protocol.participants import Dialect
from shared.protocol.profiles import V4, Originator
from shared.protocol.signing import SigningKey, load_private_key
from shared.protocol.tampering import OutgoingMessage
from tests.live.forger import caller
from tests.live.network import TRIGGER, Network
from tests.live.pair import Side


def written(network: Network, organisation_id: str, message: str = TRIGGER, **members: Any) -> dict[str, Any]:
    """A payload of a member that is written now: the catalogue's example, with these members changed or added."""
    member, request_id = network.members[organisation_id], str(members.pop("requestId", new_id()))
    originator = Originator(member.participant_id, member.organisation_id)
    stamped = V4.stamp(network.content(message, **members), originator, request_id, new_id(), datetime.now(UTC))
    document: dict[str, Any] = json.loads(stamped)
    return document


def call(document: dict[str, Any], key: SigningKey, token: str, message: str = TRIGGER) -> OutgoingMessage:
    """A call with this payload, signed with this key (whatever it is bound to) and carrying this token."""
    body = dump_json(document)
    signed = seal_detached(body, key.bound_to(V4.algorithm), Dialect.STRICT)
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}", **signed}
    return OutgoingMessage("POST", find_message(message).path, headers, body)


def key_of(network: Network, organisation_id: str) -> SigningKey:
    """The signing key of a member, as its identity file has it."""
    return load_identity(network.certs / organisation_id / "identity.json").signing_key


def signing_key(side: Side) -> SigningKey:
    """The key that a running node signs with now."""
    return private_key(side, side.ops.identity()["kid"])


def private_key(side: Side, kid: str) -> SigningKey:
    """A signing key of a node, of its beginning or made by it since."""
    identity = side.identity
    return load_own_key(identity.key_files.get(kid, identity.tls_certificate.parent / f"{kid}.key"), kid)


def token_of(network: Network, organisation_id: str) -> str:
    """An access token of a member, fetched as its node does; httpx.HTTPStatusError if there is none."""
    member, home = network.members[organisation_id], network.certs / organisation_id
    credentials = {"client_id": member.client_id, "client_secret": (home / SECRET_FILE).read_text()}
    form = {"grant_type": "client_credentials", **credentials}
    answer = httpx.post(f"{network.registry.public_url}{TOKEN_PATH}", data=form, verify=_trusting(network))
    return str(answer.raise_for_status().json()["access_token"])


def look_up(network: Network, participant_id: str, token: str) -> int:
    """Look a participant up in the registry; the status of the answer."""
    url = f"{network.registry.public_url}/service/participant-roles/{participant_id}"
    return httpx.get(url, headers={"authorization": f"Bearer {token}"}, verify=_trusting(network)).status_code


def auth_key(network: Network) -> SigningKey:
    """A private key of the Auth Service, from the folder of the registry."""
    jwks = httpx.get(f"{network.registry.public_url}{JWKS_PATH}", verify=_trusting(network)).raise_for_status().json()
    kid = jwks["keys"][0]["kid"]
    (file,) = Path(network.registry.settings["OCEN_KEYS_FOLDER"]).glob(f"{kid}*")
    return load_private_key(file.read_text(), kid, V4.algorithm)


def _trusting(network: Network) -> ssl.SSLContext:
    return caller(network.certs / "ca.pem", None)
