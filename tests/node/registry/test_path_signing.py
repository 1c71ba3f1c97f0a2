"""Registries that demand a signature of requests without a body get one over the path, and the others none."""

import json

import pytest

from shared.node.registry.member import Member
from shared.node.registry.path_signing import PathSigner
from shared.node.settings import PathSigning, RegistryMembership
from shared.protocol.detached import signing_input
from shared.protocol.encoding import base64url_decode
from tests.equipment.clock import FrozenClock
from tests.equipment.parties import identity_of, lsp, lsp_key
from tests.equipment.scripted_registry import SECRET, URL, ScriptedRegistry, rs256

pytestmark = pytest.mark.check("OCEN-DET-05")


def signs(signature: str, path: str) -> bool:
    header, _, signed = signature.split(".")
    assert json.loads(base64url_decode(header))["alg"] == "RS256"
    given = signing_input(header, path.encode(), is_unencoded=True)
    return rs256("lsp").public().verify(given, base64url_decode(signed))


@pytest.mark.parametrize("how", list(PathSigning))
async def test_look_ups_are_signed_as_the_setting_says(
    registry: ScriptedRegistry, clock: FrozenClock, how: PathSigning
) -> None:
    membership = RegistryMembership(URL, "3050", "client-1", SECRET, signs=how)
    member = Member(membership, identity_of(lsp(), lsp_key()), registry.transport, clock)
    assert await member.lookup.participant("3051") is not None
    signed = {call.url.path: call.headers.get("signature") for call in registry.requests if "roles" in call.url.path}
    assert len(signed) == 3
    for path, signature in signed.items():
        assert (signature is None) if how is PathSigning.NONE else signs(signature or "", path)
    await member.aclose()


@pytest.mark.parametrize(
    ("path", "without_version"),
    [
        ("/v1/service/participant-roles/3051", "/service/participant-roles/3051"),
        ("/v4.0.0alpha/x", "/x"),
        ("/service/v1/x", "/service/v1/x"),
        ("/vendors/7", "/vendors/7"),
        ("/v1", "/v1"),
    ],
)
def test_a_version_at_the_beginning_is_left_out_where_that_is_wanted(path: str, without_version: str) -> None:
    signer = PathSigner(identity_of(lsp(), lsp_key()), PathSigning.PATH_WITHOUT_VERSION)
    assert signs(signer(path)["signature"], without_version)
    signer = PathSigner(identity_of(lsp(), lsp_key()), PathSigning.PATH)
    assert signs(signer(path)["signature"], path)
