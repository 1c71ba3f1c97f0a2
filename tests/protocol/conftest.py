"""Two participants with their keys, a receiver who knows both, and a message that it accepts."""

from dataclasses import dataclass, replace
from ipaddress import ip_network

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.catalogue.table import get_message
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus, Participant, PublicKey
from shared.protocol.signing import SigningKey, load_private_key
from shared.protocol.tampering import GoodMessage, OtherMessage, OtherParticipant
from tests.protocol.receiver import LENDER_CERTIFICATE, LSP_CERTIFICATE, NOW, Receiver, payload_of


@dataclass(frozen=True, slots=True)
class Keys:
    """The signing keys of the tests; the blocked key and the stranger's share their numbers, not their kids."""

    lsp: SigningKey
    lsp_backup: SigningKey
    lsp_blocked: SigningKey
    lender: SigningKey
    stranger: SigningKey


@pytest.fixture(scope="session")
def pems() -> tuple[str, ...]:
    """Four private keys of 2048 bits, as `openssl genrsa -traditional` writes them."""
    private_keys = [generate_private_key(65537, 2048) for _ in range(4)]
    encoding = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return tuple(key.private_bytes(*encoding).decode() for key in private_keys)


@pytest.fixture(scope="session")
def keys(pems: tuple[str, ...]) -> Keys:
    return Keys(
        lsp=load_private_key(pems[0], "lsp-2031-a", "RS512"),
        lsp_backup=load_private_key(pems[1], "lsp-2031-b", "RS512"),
        lsp_blocked=load_private_key(pems[2], "lsp-2030", "RS512"),
        lender=load_private_key(pems[3], "lender-2031", "RS512"),
        stranger=load_private_key(pems[2], "stranger", "RS512"),
    )


@pytest.fixture(scope="session")
def lsp(keys: Keys) -> Participant:
    return Participant(
        id="Lsp-417",
        name="Kisan Credit",
        role=Role.LOAN_AGENT,
        base_url="https://lsp.example",
        certificates=frozenset({LSP_CERTIFICATE}),
        keys=(
            PublicKey(keys.lsp.kid, keys.lsp.public()),
            PublicKey(keys.lsp_backup.kid, keys.lsp_backup.public(), KeyStatus.BACKUP),
            PublicKey(keys.lsp_blocked.kid, keys.lsp_blocked.public(), KeyStatus.BLOCKED),
        ),
        networks=(ip_network("10.4.17.0/24"), ip_network("2001:db8::/32")),
    )


@pytest.fixture(scope="session")
def lender(keys: Keys) -> Participant:
    return Participant(
        id="LENDER-902",
        name="Gramin Bank",
        role=Role.LENDER,
        base_url="https://lender.example",
        certificates=frozenset({LENDER_CERTIFICATE}),
        keys=(PublicKey(keys.lender.kid, keys.lender.public()),),
    )


@pytest.fixture
def receiver(lsp: Participant, lender: Participant) -> Receiver:
    return Receiver((lsp, lender))


@pytest.fixture(scope="session")
def good_message(keys: Keys, lender: Participant) -> GoodMessage:
    return GoodMessage(
        path=get_message("v3", "TriggerLoanAcceptanceRequest").path,
        document=payload_of("TriggerLoanAcceptanceRequest"),
        key=keys.lsp,
        backup_key=keys.lsp_backup,
        blocked_key=keys.lsp_blocked,
        unknown_key=keys.stranger,
        other=OtherParticipant(lender.id, LENDER_CERTIFICATE, keys.lender),
        elsewhere=OtherMessage(
            get_message("v3", "VerifyLoanAcceptanceRequest").path, payload_of("VerifyLoanAcceptanceRequest")
        ),
        now=NOW,
    )


@pytest.fixture(params=list(EnvelopeMember))
def good(good_message: GoodMessage, request: pytest.FixtureRequest) -> GoodMessage:
    """The good message in either spelling of the signed header."""
    return replace(good_message, member=request.param)
