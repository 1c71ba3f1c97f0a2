"""The example that sends a message with nothing but openssl and curl, run against the lender as another LSP."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.live.pair import ACME, LENDER, LSP, Pair

SCRIPT = Path(__file__).parents[2] / "examples" / "curl-openssl" / "trigger-loan-acceptance.sh"
MISSING = [tool for tool in ("sh", "openssl", "curl") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")


def run(pair: Pair, *arguments: str, believed: str = LENDER) -> subprocess.CompletedProcess[str]:
    """Run the script as ACME; the key that it verifies acks with is that of `believed`."""
    keys, key, authority = (pair.certs / one for one in (ACME.organisation_id, f"{believed}/signing.pub.pem", "ca.pem"))
    command: list[str | Path] = ["sh", SCRIPT, keys, pair.lender.url, key, authority, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_the_example_is_accepted(pair: Pair) -> None:
    done = run(pair)

    assert (done.returncode, done.stderr) == (0, "")
    assert "HTTP 200, signature of the ack: Verified OK" in done.stdout
    request_id = done.stdout.split("accepted: requestId ")[1].strip()
    history = pair.lender.ops.message(request_id)
    assert history is not None
    assert [one["peer"] for one in history["received"]] == [ACME.organisation_id]


def test_the_example_shows_a_refusal_and_fails(pair: Pair) -> None:
    done = run(pair, "NOTACCEPTED-1")

    assert (done.returncode, done.stderr) == (1, "refused\n")
    assert "HTTP 409, signature of the ack: Verified OK" in done.stdout
    assert '"error":"GEN5010"' in done.stdout


def test_the_example_does_not_believe_an_ack_that_another_key_has_signed(pair: Pair) -> None:
    done = run(pair, believed=LSP)

    assert done.returncode == 1
    assert "the signature of the ack does not verify" in done.stderr
    assert "accepted" not in done.stdout
