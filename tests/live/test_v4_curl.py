"""A caller of OCEN 4.0 that is openssl and curl alone: accepted, refused, and not taken in by a forged ack."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.node.identity import load_identity
from shared.protocol.signing import SigningKey, load_private_key, new_private_key, private_pem
from tests.equipment.deadline import DEADLINE
from tests.live.listener import CallListener, showing
from tests.live.network import TRIGGER, Network
from tests.live.pair import ACME, LENDER, SECOND_BANK

MISSING = [tool for tool in ("sh", "openssl", "curl") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

SCRIPT = Path(__file__).parents[2] / "examples" / "curl-openssl" / "v4-trigger-loan-acceptance.sh"


def run(network: Network, lender: str, *application: str) -> subprocess.CompletedProcess[str]:
    """Send a request to a lender as a further LSP."""
    keys, authority, registry = network.certs / ACME.organisation_id, network.certs / "ca.pem", network.registry
    command = [SCRIPT, keys, authority, registry.public_url, lender, *application]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE)


@pytest.fixture(scope="module")
def lender(network: Network) -> str:
    """The participant id of the lender, for a further LSP that is a member."""
    network.admit(ACME.organisation_id)
    return network.members[LENDER].participant_id


def test_a_request_of_openssl_and_curl_is_accepted_and_its_ack_verifies(network: Network, lender: str) -> None:
    done = run(network, lender)

    assert (done.returncode, done.stderr) == (0, "")
    assert "HTTP 200, signature of the ack: Verified OK" in done.stdout
    request_id = done.stdout.split("accepted: requestId ")[1].strip()
    received = network.lender.received(request_id, TRIGGER)
    assert received is not None
    assert received["peer"] == network.members[ACME.organisation_id].participant_id


def test_a_refusal_is_verified_shown_and_a_failure(network: Network, lender: str) -> None:
    entries = network.lender.books.entries()

    done = run(network, lender, "NOTACCEPTED-1")

    assert (done.returncode, done.stderr) == (1, "refused\n")
    assert "HTTP 409, signature of the ack: Verified OK" in done.stdout
    assert "GEN5010" in done.stdout
    assert network.lender.books.entries() <= entries


@pytest.fixture(scope="module")
def own_key(network: Network) -> SigningKey:
    """The key of a lender whose server we play, as the registry has it."""
    identity = load_identity(network.certs / SECOND_BANK.organisation_id / "identity.json")
    return identity.signing_key.bound_to("RS256")


@pytest.fixture
def listener(network: Network, own_key: SigningKey, request: pytest.FixtureRequest) -> Iterator[CallListener]:
    """That server; it signs with its key, or under its kid with the key of nobody."""
    stranger = load_private_key(private_pem(new_private_key()).decode(), own_key.kid, "RS256")
    home = network.certs / SECOND_BANK.organisation_id
    context = showing(home / "tls.pem", home / "tls.key", network.certs / "ca.pem")
    with CallListener(context, stranger if request.param == "forged" else own_key) as listener:
        if request.param == "answer to another":
            listener.trace_id = "trace-of-another"
        yield listener


COMPLAINTS = {
    "right": "",
    "forged": "the signature of the ack does not verify",
    "answer to another": "the ack names another traceId",
}


@pytest.mark.check("OCEN-ASY-11")
@pytest.mark.parametrize(("listener", "complaint"), COMPLAINTS.items(), indirect=["listener"], ids=COMPLAINTS)
def test_an_ack_is_believed_only_if_the_lender_has_signed_it_for_this_request(
    network: Network, lender: str, listener: CallListener, complaint: str
) -> None:
    bank = network.admit(SECOND_BANK.organisation_id).participant_id
    network.registry.admin.amend(bank, base_url=listener.base_url)

    done = run(network, bank)

    assert complaint in done.stderr
    assert ("accepted" in done.stdout, done.returncode) == ((True, 0) if not complaint else (False, 1))
