"""`sign` and `verify` on the command line, for detached signatures and access tokens of OCEN 4.0."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json
from shared.protocol.signing import SigningKey, load_private_key
from tests.protocol.vectors import vector
from tests.sandbox.command_bench import Bench

FORMS = vector("v4_detached_forms")
BODY = FORMS["body"].encode()
CASES = {case["name"]: case for case in FORMS["cases"]}
ISSUER = "https://auth.example/realms/ocen"
CLAIMS: dict[str, Any] = {"exp": 1930453567, "iat": 1930367167, "iss": ISSUER, "sub": "s", "participantId": "Role-3051"}
AT = "2031-03-04T05:06:07Z"


def sign(bench: Bench, body: bytes = BODY, *further: str) -> str:
    return bench.sign(body, "--profile", "v4", *further).decode().removesuffix("\n")


def verify(bench: Bench, signature: str | None, *further: object, body: bytes = BODY) -> tuple[int, str]:
    file = bench.folder / "body.json"
    file.write_bytes(body)
    header = () if signature is None else ("--signature", signature)
    return bench.verify(b"", "--profile", "v4", *header, "--body", file, *further)


def jwk_of_the_forms(bench: Bench) -> Path:
    return bench.file("jwk.json", json.dumps(FORMS["jwk"]))


def auth_key(bench: Bench) -> SigningKey:
    return load_private_key((bench.folder / "LENDER01" / "signing.key").read_text(), "auth-1", "RS256")


def token(bench: Bench, **changes: Any) -> str:
    key = auth_key(bench)
    parts = ({"alg": "RS256", "typ": "JWT", "kid": key.kid}, {**CLAIMS, **changes})
    text = ".".join(base64url_encode(dump_json(part)) for part in parts)
    return f"{text}.{base64url_encode(key.sign(text.encode()))}"


def with_token(bench: Bench, text: str, issuer: str = ISSUER) -> tuple[object, ...]:
    return "--token", text, "--issuer-key", bench.folder / "LENDER01" / "signing.pub.pem", "--issuer", issuer


def test_the_value_of_the_signature_header_is_printed_and_nothing_else(bench: Bench) -> None:
    signature = sign(bench)
    header, middle, _ = signature.split(".")
    assert middle == ""
    assert json.loads(base64url_decode(header)) == {"alg": "RS256", "kid": "kid-1", "b64": False, "crit": ["b64"]}
    assert sign(bench) == signature


def test_what_is_signed_verifies_in_the_form_of_each_dialect(bench: Bench) -> None:
    for dialect in ("strict", "authstarter"):
        status, out = verify(bench, sign(bench, BODY, "--dialect", dialect))
        assert status == 0
        assert "✓ signature_verifies" in out
        assert "✓ 12 checks hold; 24 cannot be judged here" in out


def test_the_dialect_rfc_of_former_releases_is_taken_for_strict_and_that_is_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert sign(bench, BODY, "--dialect", "rfc") == sign(bench)
    assert "the dialect rfc is no more: the peer is dealt with as strict" in caplog.text


@pytest.mark.parametrize("body", [BODY + b"\n", BODY.replace(b"Role", b"Rule"), b"{}"])
def test_another_body_fails(bench: Bench, body: bytes) -> None:
    status, out = verify(bench, sign(bench), body=body)
    assert (status, "✗ signature_verifies" in out) == (1, True)


def test_a_body_may_come_on_standard_input_or_as_the_argument(bench: Bench) -> None:
    arguments = ("--profile", "v4", "--signature", sign(bench))
    assert bench.verify(BODY, *arguments)[0] == 0
    (bench.folder / "body.json").write_bytes(BODY)
    assert bench.verify(b"", *arguments, bench.folder / "body.json")[0] == 0


@pytest.mark.parametrize("name", CASES)
def test_each_form_is_judged_as_in_its_vector(bench: Bench, name: str) -> None:
    key = jwk_of_the_forms(bench)
    for dialect, caught_by in CASES[name]["caught_by"].items():
        arguments = ("--profile", "v4", "--dialect", dialect, "--signature", CASES[name]["signature"])
        status, out = bench.verify(BODY, *arguments, key=key)
        assert status == (1 if caught_by else 0)
        assert caught_by is None or f"✗ {caught_by}" in out


def test_a_signature_without_a_kid_selects_no_key_out_of_several(bench: Bench) -> None:
    other = {**FORMS["jwk"], "kid": "other"}
    keys = bench.file("set.json", json.dumps({"keys": [FORMS["jwk"], other]}))
    signature = CASES["authstarter_signer_kid_null"]["signature"]
    arguments = ("--profile", "v4", "--dialect", "authstarter", "--signature", signature)
    status, out = bench.verify(BODY, *arguments, key=keys)
    assert (status, "✗ kid_selects_a_registered_key" in out) == (1, True)


@pytest.mark.parametrize("further", [[], ["--signature", ""], ["--signature", " "], ["--ack"]])
def test_a_body_without_its_signature_is_wrong_input(bench: Bench, further: list[str]) -> None:
    status, out, err = bench.run("verify", "--profile", "v4", "--key", bench.public, *further, stdin=BODY)
    assert (status, out, err) == (2, "", "ocen-sandbox: --profile v4 needs --signature HEADER\n")


def test_a_token_is_judged_with_the_key_of_its_issuer_and_its_time(bench: Bench) -> None:
    status, out = verify(bench, sign(bench), *with_token(bench, token(bench)), "--at", AT)
    assert status == 0
    assert "✓ token_signature_verifies" in out
    assert "✓ token_is_in_force" in out
    assert "- bearer_token_is_given" in out


@pytest.mark.parametrize(
    ("changes", "issuer", "failed"),
    [
        ({"participantId": None}, ISSUER, "token_has_its_claims"),
        ({}, f"{ISSUER}/", "token_is_of_our_auth_service"),
        ({"exp": 1930367168, "iat": 1930000000}, ISSUER, None),
        ({"exp": 1930360000, "iat": 1930000000}, ISSUER, "token_is_in_force"),
    ],
)
def test_a_token_that_does_not_count_fails(
    bench: Bench, changes: dict[str, Any], issuer: str, failed: str | None
) -> None:
    status, out = verify(bench, sign(bench), *with_token(bench, token(bench, **changes), issuer), "--at", AT)
    assert status == (1 if failed else 0)
    assert failed is None or f"✗ {failed}" in out


def test_a_forged_token_and_what_is_no_token_fail(bench: Bench) -> None:
    header, claims, _ = token(bench).split(".")
    signature = token(bench, sub="other").split(".")[2]
    status, out = verify(bench, sign(bench), *with_token(bench, f"{header}.{claims}.{signature}"))
    assert (status, "✗ token_signature_verifies" in out) == (1, True)
    status, out = verify(bench, sign(bench), *with_token(bench, "opaque"))
    assert (status, "✗ token_is_a_signed_jwt" in out) == (1, True)


def test_a_token_whose_key_is_not_in_the_set_fails(bench: Bench) -> None:
    keys = bench.file("jwks.json", json.dumps({"keys": [FORMS["jwk"]]}))
    arguments = ("--token", token(bench), "--issuer-key", keys, "--issuer", ISSUER)
    status, out = verify(bench, sign(bench), *arguments)
    assert (status, "✗ token_key_is_the_auth_services" in out) == (1, True)


ACK = b'{"error":"0","traceId":"t-1","timestamp":"2031-05-06T07:08:09.123Z"}'
STARTER_ACK = b'{"error":null,"traceId":"t-1","timestamp":"2031-05-06T07:08:09"}'


def test_an_ack_has_to_be_signed_but_by_an_official_starter(bench: Bench) -> None:
    assert verify(bench, sign(bench, ACK), "--ack", body=ACK)[0] == 0
    status, out = verify(bench, sign(bench, ACK), "--ack", body=ACK.replace(b'"0"', b'"1"'))
    assert (status, "✗ signature_verifies" in out) == (1, True)
    assert verify(bench, None, "--ack", body=ACK)[0] == 2
    status, out = verify(bench, None, "--ack", "--dialect", "authstarter", body=STARTER_ACK)
    assert (status, "not judged: there is no signature, and none is demanded" in out) == (0, True)
    assert verify(bench, "x", "--ack", "--dialect", "authstarter", body=STARTER_ACK)[0] == 1


def test_the_result_as_json_has_the_header_and_the_body(bench: Bench) -> None:
    status, out = verify(bench, sign(bench), "--json")
    result = json.loads(out)
    assert (status, result["passed"], result["header"]["kid"]) == (0, True, "kid-1")
    assert result["payload"].encode() == BODY
    assert json.loads(verify(bench, "x..y", "--json")[1])["header"] == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--profile", "v4", "--token", "t"], "--token, --issuer-key and --issuer go together"),
        (["--profile", "v4", "--issuer", ISSUER], "--token, --issuer-key and --issuer go together"),
        (["--signature", "x"], "--signature is not for v3"),
        (["--dialect", "strict"], "--dialect is not for v3"),
        (["--profile", "v4", "--dialect", "loose"], "'loose' is not one of 'strict', 'authstarter', 'rfc'"),
        (["--profile", "v4", "--signature", "x", "--body", "no-such-file"], "no-such-file cannot be read"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_input(bench: Bench, arguments: list[str], said: str) -> None:
    status, out, err = bench.run("verify", "--key", bench.public, *arguments, stdin=BODY)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_private_key_of_the_issuer_is_refused_by_name(bench: Bench) -> None:
    key = bench.folder / "LENDER01" / "signing.key"
    arguments = ("--token", token(bench), "--issuer-key", key, "--issuer", ISSUER)
    status, _, err = bench.run("verify", "--key", bench.public, "--profile", "v4", *arguments, stdin=BODY)
    assert status == 2
    assert "signing.key: this is a private key; keep it secret" in err


def test_the_spelling_of_an_envelope_is_not_for_v4(bench: Bench) -> None:
    arguments = ("--key", bench.key, "--kid", "k", "--profile", "v4", "--member", "header")
    status, out, err = bench.run("sign", *arguments, stdin=BODY)
    assert (status, out) == (2, "")
    assert "--member is not for v4" in err
