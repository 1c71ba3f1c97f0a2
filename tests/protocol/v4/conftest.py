"""An LSP and a lender of OCEN 4.0, the Auth Service whose tokens they carry, and a call that the lender accepts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.protocol.participants import Participant, PublicKey
from shared.protocol.signing import SigningKey, load_private_key, load_public_key, new_private_key, private_pem
from shared.protocol.tampering import GoodCall, OtherCaller, OtherMessage
from shared.protocol.tokens import Issuer
from tests.protocol.conftest import Keys
from tests.protocol.receiver import LENDER_CERTIFICATE, NOW
from tests.protocol.v4.call_receiver import ISSUER, CallReceiver
from tests.protocol.v4.messages import (
    FOREIGN_NETWORK,
    GET_LOAN,
    LENDER,
    LENDER_ORGANISATION,
    LSP,
    LSP_ORGANISATION,
    TRIGGER,
    VERIFY,
    acceptance,
    loan,
)


@pytest.fixture(scope="session")
def auth_key() -> SigningKey:
    return load_private_key(private_pem(new_private_key()).decode(), "auth-2031", "RS256")


@pytest.fixture(scope="session")
def issuer(auth_key: SigningKey) -> Issuer:
    return Issuer(ISSUER, {auth_key.kid: auth_key.public()})


@pytest.fixture(scope="session")
def lsp_role(lsp: Participant) -> Participant:
    return _of_v4(lsp, id=LSP, organisation_id=LSP_ORGANISATION, client_id="lsp-client")


@pytest.fixture(scope="session")
def lender_role(lender: Participant) -> Participant:
    return _of_v4(lender, id=LENDER, organisation_id=LENDER_ORGANISATION, client_id="lender-client")


@pytest.fixture
def new_lender_node(lsp_role: Participant, lender_role: Participant, issuer: Issuer) -> Callable[[], CallReceiver]:
    return lambda: CallReceiver((lsp_role, lender_role), issuer)


@pytest.fixture
def lender_node(new_lender_node: Callable[[], CallReceiver]) -> CallReceiver:
    return new_lender_node()


@pytest.fixture(scope="session")
def good_call(keys: Keys, auth_key: SigningKey) -> GoodCall:
    """The good call in the form that we send ourselves."""
    return GoodCall(
        path=TRIGGER.path,
        document=acceptance(),
        key=keys.lsp.bound_to("RS256"),
        backup_key=keys.lsp_backup.bound_to("RS256"),
        blocked_key=keys.lsp_blocked.bound_to("RS256"),
        unknown_key=keys.stranger.bound_to("RS256"),
        other=OtherCaller(
            id=LENDER,
            certificate=LENDER_CERTIFICATE,
            key=keys.lender.bound_to("RS256"),
            organisation_id=LENDER_ORGANISATION,
            claims=_claims(LENDER, "lender-client"),
        ),
        elsewhere=OtherMessage(GET_LOAN.path, loan()),
        now=NOW,
        claims=_claims(LSP, "lsp-client"),
        auth_key=auth_key,
        twin_path=VERIFY.path,
        foreign_network=FOREIGN_NETWORK,
    )


@pytest.fixture(params=[True, False], ids=["rfc 7797", "rfc 7515 appendix f"])
def call(good_call: GoodCall, request: pytest.FixtureRequest) -> GoodCall:
    """The good call in either form."""
    return replace(good_call, is_unencoded=request.param)


def _of_v4(participant: Participant, **changes: Any) -> Participant:
    keys = (PublicKey(key.kid, load_public_key(key.verifier.to_pem(), "RS256"), key.status) for key in participant.keys)
    return replace(participant, keys=tuple(keys), **changes)


def _claims(participant_id: str, client: str) -> dict[str, Any]:
    issued = int(NOW.timestamp()) - 60
    return {
        "exp": issued + 86_400,
        "iat": issued,
        "iss": ISSUER,
        "sub": f"service-account-{client}",
        "participantId": participant_id,
        "azp": client,
    }
