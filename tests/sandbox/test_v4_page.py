"""docs/v4.md: the body and the signature that it tells a Java service to make are those that our checks take."""

import re
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from sandbox.cli import main
from shared.protocol.detached import SIGNATURE_HEADER, seal_detached
from shared.protocol.participants import Dialect
from shared.protocol.signing import load_private_key
from tests.equipment.deadline import DEADLINE
from tests.equipment.java import JAVA
from tests.equipment.records import public_pem
from tests.node.certificates import private_pem, rsa_key

PAGE = (Path(__file__).parents[2] / "docs" / "v4.md").read_text("utf-8")

PROGRAM = """
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;

class Sign {
%s
    public static void main(String[] files) throws Exception {
        PKCS8EncodedKeySpec der = new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(files[0])));
        PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(der);
        System.out.print(signature(Files.readAllBytes(Path.of(files[1])), "my-kid", key));
    }
}
"""


TRIGGER, TRIGGERED = "v4/TriggerLoanAcceptanceRequest", "v4/TriggerLoanAcceptanceResponse"


def blocks(language: str) -> list[str]:
    """The blocks of the page in that language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def body(tmp_path: Path) -> Path:
    return written(tmp_path, blocks("json")[0])


def written(tmp_path: Path, body: str) -> Path:
    file = tmp_path / "body.json"
    file.write_text(body.strip())
    return file


def verdict(tmp_path: Path, body: Path, signature: str, message: str = TRIGGER) -> int:
    """The exit status of the command that the page gives, with the message named."""
    key = tmp_path / "public.pem"
    key.write_text(public_pem("lsp"))
    options = ["--key", str(key), "--signature", signature, "--body", str(body), "--message", message]
    return main(["verify", "--profile", "v4", *options])


def test_the_bodies_of_request_and_callback_fit_their_messages(tmp_path: Path) -> None:
    key = load_private_key(private_pem(rsa_key("lsp")).decode(), "my-kid", "RS256")
    for message, block in zip((TRIGGER, TRIGGERED), blocks("json"), strict=True):
        body = written(tmp_path, block)
        signature = seal_detached(body.read_bytes(), key, Dialect.STRICT)[SIGNATURE_HEADER]
        assert verdict(tmp_path, body, signature, message) == 0


@pytest.mark.skipif(shutil.which("javac") is None, reason="not installed here: a Java development kit")
def test_the_java_signs_it(tmp_path: Path, body: Path) -> None:
    program, key = tmp_path / "Sign.java", tmp_path / "signing.der"
    program.write_text(PROGRAM % blocks("java")[0])
    key.write_bytes(b64decode("".join(private_pem(rsa_key("lsp")).decode().splitlines()[1:-1])))
    done = subprocess.run([*JAVA, program, key, body], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert verdict(tmp_path, body, done.stdout) == 0
    body.write_bytes(body.read_bytes() + b"\n")
    assert verdict(tmp_path, body, done.stdout) == 1
