"""The starter kit against the pair: a client of openssl and curl, a server of plain Python, keystores for Java."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.kit import make_kit
from sandbox.pki.folder import load_authority
from sandbox.pki.organisation import Organisation
from sandbox.preparation import free_base_port
from shared.clock import SystemClock
from shared.node.onboarding.form import OnboardingForm
from shared.protocol.messages import Role
from tests.equipment.deadline import DEADLINE
from tests.equipment.java import JAVA
from tests.live.pair import Pair, Side
from tests.live.waiting import eventually

MISSING = [tool for tool in ("sh", "openssl", "curl") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

LENDER_KIT = Role.LENDER


def kit_of(pair: Pair, folder: Path, organisation_id: str, role: Role) -> Path:
    """Make the kit of an organisation that the node of the other role then knows."""
    node = pair.lsp if role is LENDER_KIT else pair.lender
    base_url = f"https://localhost:{free_base_port()}"
    make_kit(
        folder,
        Organisation(organisation_id, organisation_id, role, base_url),
        authority=load_authority(pair.certs, SystemClock().now()),
        ours=OnboardingForm.model_validate(node.ops.own_form()),
        onboard=lambda form: node.ops.onboard(form.model_dump()),
        now=SystemClock().now(),
    )
    return folder


@pytest.fixture(scope="module")
def lsp_kit(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit_of(pair, tmp_path_factory.mktemp("kits") / "lsp", "KIT-LSP", Role.LOAN_AGENT)


@pytest.fixture(scope="module")
def lender_kit(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit_of(pair, tmp_path_factory.mktemp("kits") / "lender", "KIT-BANK", LENDER_KIT)


@pytest.fixture
def changeable(lsp_kit: Path, tmp_path: Path) -> Path:
    """A copy of the LSP's kit."""
    return Path(shutil.copytree(lsp_kit, tmp_path / "kit"))


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, timeout=DEADLINE)


@contextmanager
def listening(kit: Path, output: Path) -> Iterator[Path]:
    """Run the kit's listener, and give the file with what it prints."""
    with output.open("w") as stream:
        process = subprocess.Popen([sys.executable, kit / "listener.py"], stdout=stream, stderr=stream)
    try:
        eventually(lambda: "listening" in output.read_text())
        yield output
    finally:
        process.terminate()
        process.wait(20)


def accepted_request(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    assert "HTTP 200, signature of the ack: Verified OK" in done.stdout
    return done.stdout.split("accepted: requestId ")[1].strip()


def test_the_first_message_of_a_kit_is_accepted_and_its_callback_acked(
    pair: Pair, lsp_kit: Path, tmp_path: Path
) -> None:
    with listening(lsp_kit, tmp_path / "listener.log") as heard:
        request_id = accepted_request(run(lsp_kit / "first-message.sh"))
        eventually(lambda: pair.lender.delivered(request_id, "TriggerLoanAcceptanceResponse"))
    assert "POST /v3/loan/triggerLoanAcceptanceResponse: accepted" in heard.read_text()
    assert request_id in heard.read_text()
    history = pair.lender.ops.message(request_id)
    assert history is not None
    assert [one["peer"] for one in history["received"]] == ["KIT-LSP"]


def test_a_lender_with_a_kit_acks_our_message_and_calls_us_back(pair: Pair, lender_kit: Path, tmp_path: Path) -> None:
    content = {"loanApplicationIds": ["APPL-1"], "credBlock": {"type": "OTP", "data": {"appToken": "x"}}}
    with listening(lender_kit, tmp_path / "listener.log"):
        request_id = pair.lsp.ops.send("TriggerLoanAcceptanceRequest", "KIT-BANK", content)["request_id"]
        eventually(lambda: pair.lsp.delivered(request_id, "TriggerLoanAcceptanceRequest"))
    assert accepted_request(run(lender_kit / "callback.sh", request_id)) == request_id
    assert pair.lsp.received(request_id, "TriggerLoanAcceptanceResponse") is not None


def test_a_listener_refuses_an_envelope_that_a_stranger_has_signed(
    pair: Pair, lsp_kit: Path, lender_kit: Path, tmp_path: Path
) -> None:
    believed = tmp_path / "kit"
    shutil.copytree(lender_kit, believed)
    for key in (believed / "counterparty").glob("*.pub.pem"):
        shutil.copy(lsp_kit / "signing.pub.pem", key)
    content = {"loanApplicationIds": ["APPL-1"], "credBlock": {"type": "OTP", "data": {"appToken": "x"}}}
    with listening(believed, tmp_path / "listener.log") as heard:
        request_id = pair.lsp.ops.send("TriggerLoanAcceptanceRequest", "KIT-BANK", content)["request_id"]
        eventually(lambda: _refused(pair.lsp, request_id))
    assert "AUTH1001" in heard.read_text()


def _refused(side: Side, request_id: str) -> bool:
    sent = side.sent(request_id, "TriggerLoanAcceptanceRequest")
    return sent is not None and sent["state"] == "REFUSED"


def test_a_listener_that_cannot_listen_says_so_in_one_line(lsp_kit: Path, changeable: Path, tmp_path: Path) -> None:
    with listening(lsp_kit, tmp_path / "listener.log"):
        second = run(sys.executable, lsp_kit / "listener.py")
    (changeable / "tls.key").unlink()
    unfinished = run(sys.executable, changeable / "listener.py")
    assert (second.returncode, unfinished.returncode) == (2, 2)
    assert (second.stderr.count("\n"), unfinished.stderr.count("\n")) == (1, 1)
    assert "cannot be used (Address already in use): end its holder" in second.stderr
    assert f"{changeable} has no tls.key: name the folder of a kit" in unfinished.stderr


def test_a_refusal_is_shown_and_fails(changeable: Path) -> None:
    payload = changeable / "payload.json"
    payload.write_text(payload.read_text().replace("APPL-", "NOTACCEPTED-"))
    done = run(changeable / "first-message.sh")

    assert (done.returncode, done.stderr) == (1, "refused\n")
    assert "HTTP 409, signature of the ack: Verified OK" in done.stdout
    assert '"error":"GEN5010"' in done.stdout


def test_an_ack_that_another_key_has_signed_is_not_believed(changeable: Path) -> None:
    for key in (changeable / "counterparty").glob("*.pub.pem"):
        shutil.copy(changeable / "signing.pub.pem", key)
    done = run(changeable / "first-message.sh")

    assert done.returncode == 1
    assert "the signature of the ack does not verify" in done.stderr
    assert "accepted" not in done.stdout


def test_the_examples_are_the_files_of_the_kit(lsp_kit: Path) -> None:
    examples = Path(__file__).parents[2] / "examples"
    for name in ("curl-openssl/sign.sh", "curl-openssl/send-message.sh", "stdlib-listener/listener.py"):
        assert (examples / name).read_text() == (lsp_kit / Path(name).name).read_text()
    payload = json.loads((examples / "curl-openssl" / "payload.json").read_text())
    assert payload == json.loads((lsp_kit / "payload.json").read_text())


@pytest.mark.skipif(shutil.which("keytool") is None, reason="not installed here: keytool")
@pytest.mark.parametrize(
    ("store", "entries"),
    [
        ("keystore.p12", {"kit-lsp-tls": "PrivateKeyEntry"}),
        ("truststore.p12", {"ocen-sandbox-ca": "trustedCertEntry", "lender01-tls": "trustedCertEntry"}),
    ],
)
def test_java_reads_the_keystores(lsp_kit: Path, store: str, entries: dict[str, str]) -> None:
    password = (lsp_kit / "passwords-not-for-production.txt").read_text().strip()
    done = run("keytool", "-J-Duser.language=en", "-list", "-keystore", lsp_kit / store, "-storepass", password)
    listed = [line.split(", ") for line in done.stdout.splitlines() if "Entry" in line]
    assert {line[0]: line[-2] for line in listed} == entries


@pytest.mark.skipif(shutil.which("javac") is None, reason="not installed here: a Java development kit")
def test_java_sends_the_first_message_with_the_keystores(changeable: Path) -> None:
    done = run(*JAVA, "FirstMessage.java", cwd=changeable)
    assert (done.returncode, done.stderr) == (0, "")
    assert "HTTP 200, signature of the ack verified: true" in done.stdout
    assert "accepted: requestId " in done.stdout

    for key in (changeable / "counterparty").glob("*.pub.pem"):
        shutil.copy(changeable / "signing.pub.pem", key)
    done = run(*JAVA, "FirstMessage.java", cwd=changeable)
    assert done.returncode == 1
    assert "signature of the ack verified: false" in done.stdout


@pytest.mark.skipif(shutil.which("javac") is None, reason="not installed here: a Java development kit")
def test_java_says_in_one_line_that_a_file_is_missing_or_nobody_answers(changeable: Path) -> None:
    form = changeable / "counterparty" / "form.yaml"
    form.write_text(re.sub(r"(?m)^base_url: .*", f"base_url: https://localhost:{free_base_port()}", form.read_text()))
    unanswered = run(*JAVA, "FirstMessage.java", cwd=changeable)
    (changeable / "signing.key").unlink()
    missing = run(*JAVA, "FirstMessage.java", cwd=changeable)
    assert (unanswered.returncode, missing.returncode) == (1, 2)
    assert (unanswered.stderr.count("\n"), missing.stderr.count("\n")) == (1, 1)
    assert unanswered.stderr.startswith("no signed answer from https://localhost:")
    assert missing.stderr == "signing.key is not here: run java FirstMessage.java in the kit's folder\n"
