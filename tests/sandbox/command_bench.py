"""Commands that are run on files, with bytes on standard input."""

import io
import sys
from pathlib import Path

import pytest

from sandbox.cli import main

PAYLOAD = (
    b'{ "metadata": {"version":"1.0","orgId":"LSP123","timestamp":"2031-05-06T07:08:09.123Z","traceId":"t-1"},\n'
    b'  "requestId":"r-1", "loanApplicationIds":["A-1"], "credBlock":{"type":"OTP","data":{}} }\n'
)


class Bench:
    """Runs commands on files in a folder, with bytes on standard input."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.folder, self.capture, self.patch = folder, capture, patch
        self.key = folder / "LSP123" / "signing.key"
        self.public = folder / "LSP123" / "signing.pub.pem"

    def run(self, *arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main([str(argument) for argument in arguments])
        out, err = self.capture.readouterr()
        return status, out, err

    def sign(self, payload: bytes = PAYLOAD, *further: str) -> bytes:
        status, out, _ = self.run("sign", "--key", self.key, "--kid", "kid-1", *further, stdin=payload)
        assert status == 0
        return out.encode()

    def verify(self, envelope: bytes, *further: object, key: Path | None = None) -> tuple[int, str]:
        status, out, _ = self.run("verify", "--key", key or self.public, *further, stdin=envelope)
        return status, out

    def file(self, name: str, text: str) -> Path:
        (self.folder / name).write_text(text)
        return self.folder / name
