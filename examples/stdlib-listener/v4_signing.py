"""Signatures of OCEN 4.0 by openssl alone: RS256, detached, with keys as a registry or an Auth Service lists them."""

import base64
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def encode(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 7515 s2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der(tag: int, content: bytes) -> bytes:
    """Write one element of DER (X.690)."""
    size = len(content)
    more = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x80 | len(more)]) + more) + content


def public_key(jwk: dict[str, str]) -> bytes:
    """Write an RSA key of a registry (RFC 7518 s6.3.1) as openssl reads it (RFC 8017 A.1.1)."""
    numbers = b"".join(der(2, b"\0" + decode(jwk[name]).lstrip(b"\0")) for name in ("n", "e"))
    spki = der(0x30, RSA_ENCRYPTION + der(3, b"\0" + der(0x30, numbers)))
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(spki) + b"-----END PUBLIC KEY-----\n"


def holds(keys: list[dict[str, str]], header: dict[str, Any], signed: bytes, signature: bytes) -> bool:
    """Tell whether the key that the header's kid names has signed this with RS256."""
    key = next((one for one in keys if one["kid"] == header.get("kid")), None)
    if header.get("alg") != "RS256" or key is None:
        return False
    with tempfile.TemporaryDirectory() as work:
        Path(work, "key").write_bytes(public_key(key))
        Path(work, "signature").write_bytes(signature)
        command = ["openssl", "dgst", "-sha256", "-verify", f"{work}/key", "-signature", f"{work}/signature"]
        return subprocess.run(command, input=signed, capture_output=True, check=False).returncode == 0


def verify(keys: list[dict[str, str]], value: str, body: bytes) -> bool:
    """Tell whether a header `Signature` holds for a body: RFC 7797 or RFC 7515 Appendix F, nothing between the dots."""
    try:
        head, between, tail = value.split(".")
        header, signature = json.loads(decode(head)), decode(tail)
        is_plain = header.get("b64", True) is False
        known = header.keys() <= {"alg", "kid", "typ", "cty", "b64", "crit"}
        if between or not known or header.get("crit") != (["b64"] if is_plain else None):
            return False
    except (ValueError, AttributeError):
        return False
    return holds(keys, header, f"{head}.".encode() + (body if is_plain else encode(body).encode()), signature)


def sign(key: Path, kid: str, body: bytes) -> str:
    """Make the header `Signature` of a body (RFC 7797)."""
    header = encode(json.dumps({"alg": "RS256", "kid": kid, "b64": False, "crit": ["b64"]}).encode())
    command = ["openssl", "dgst", "-sha256", "-sign", str(key), "-binary"]
    done = subprocess.run(command, input=f"{header}.".encode() + body, capture_output=True, check=True)
    return f"{header}..{encode(done.stdout)}"
