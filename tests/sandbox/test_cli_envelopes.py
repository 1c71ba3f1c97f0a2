"""`sign` and `verify` on the command line, for envelopes of v3."""

import json
from pathlib import Path

import pytest

from shared.protocol.encoding import base64url_decode, base64url_encode
from tests.sandbox.command_bench import PAYLOAD, Bench

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "v3_published_sample.json").read_text())
NAME = "TriggerLoanAcceptanceRequest"


def test_what_is_signed_are_exactly_the_bytes_that_came_in(bench: Bench) -> None:
    envelope = json.loads(bench.sign())
    assert base64url_decode(envelope["payload"]) == PAYLOAD
    assert list(envelope) == ["payload", "header", "signature"]


def test_the_same_bytes_give_the_same_envelope_from_a_file(bench: Bench) -> None:
    (bench.folder / "payload.json").write_bytes(PAYLOAD)
    status, out, _ = bench.run("sign", "--key", bench.key, "--kid", "kid-1", bench.folder / "payload.json")
    assert (status, out.encode()) == (0, bench.sign())


@pytest.mark.parametrize("member", ["header", "protected"])
def test_what_is_signed_verifies_in_either_spelling(bench: Bench, member: str) -> None:
    envelope = bench.sign(PAYLOAD, "--member", member)
    assert member in json.loads(envelope)
    status, out = bench.verify(envelope)
    assert status == 0
    assert "✓ 14 checks hold; 13 cannot be judged here" in out


def test_every_check_is_listed_with_its_clause(bench: Bench) -> None:
    _, out = bench.verify(bench.sign())
    assert "✓ signature_verifies" in out
    assert "RFC 7515 s5.2" in out
    assert "not judged: there is no TLS connection" in out


def test_freshness_and_content_are_judged_when_time_and_message_are_given(bench: Bench) -> None:
    envelope = bench.sign()
    assert bench.verify(envelope, "--at", "2031-05-06T07:09:00Z", "--message", NAME)[0] == 0
    status, out = bench.verify(envelope, "--at", "2031-05-06T08:09:00Z")
    assert status == 1
    assert "✗ timestamp_is_fresh" in out
    assert "The signature itself holds." in out
    assert "✗ timestamp_is_fresh" in bench.verify(envelope, "--now")[1]
    status, out = bench.verify(envelope, "--message", "VerifyLoanAcceptanceRequest")
    assert (status, "✗ content_fits_the_message" in out) == (1, True)


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + "A", lambda text: text[1:]])
@pytest.mark.parametrize("part", ["payload", "header", "signature"])
def test_a_changed_part_fails(bench: Bench, part: str, change: object) -> None:
    envelope = json.loads(bench.sign())
    spoiled = {**envelope, part: change(envelope[part])}  # type: ignore[operator]
    status, out = bench.verify(json.dumps(spoiled).encode())
    assert status == 1
    assert "✗ refused with " in out


def test_another_key_fails_and_the_failed_check_tells_what_was_expected(bench: Bench) -> None:
    status, out = bench.verify(bench.sign(), key=bench.folder / "LSP123" / "backup.pub.pem")
    assert status == 1
    assert "expected  an RS512 signature by kid-1" in out
    assert "✗ refused with AUTH1001: The signature is not valid." in out


def test_a_kid_that_is_not_the_named_one_fails(bench: Bench) -> None:
    assert bench.verify(bench.sign(), "--kid", "kid-1")[0] == 0
    status, out = bench.verify(bench.sign(), "--kid", "kid-2")
    assert (status, "✗ kid_selects_a_key_that_counts" in out) == (1, True)


def test_the_result_as_json_has_every_step(bench: Bench) -> None:
    status, out = bench.verify(bench.sign(), "--json")
    result = json.loads(out)
    assert (status, result["passed"], result["error"], result["header"]["kid"]) == (0, True, None, "kid-1")
    assert result["payload"].encode() == PAYLOAD
    assert len(result["steps"]) == 27
    status, out = bench.verify(b"[]", "--json")
    assert (status, json.loads(out)["error"], json.loads(out)["header"]) == (1, "GEN5008", {})


def test_an_ack_is_judged_as_an_ack(bench: Bench) -> None:
    ack = bench.sign(b'{"error":"0","traceId":"t-1","timestamp":"2031-05-06T07:08:09.123Z"}')
    status, out = bench.verify(ack, "--ack")
    assert (status, "✓ ack_has_its_members" in out) == (0, True)
    status, out = bench.verify(bench.sign(b'{"error":"0"}'), "--ack")
    assert (status, "found     without traceId, timestamp" in out) == (1, True)
    assert bench.verify(ack)[0] == 1


def test_an_ack_that_was_changed_or_signed_by_another_key_fails(bench: Bench) -> None:
    ack = json.loads(bench.sign(b'{"error":"AUTH1001","traceId":"t-1","timestamp":"2031-05-06T07:08:09.123Z"}'))
    changed = base64url_encode(base64url_decode(ack["payload"]).replace(b"AUTH1001", b"0"))
    status, out = bench.verify(json.dumps({**ack, "payload": changed}).encode(), "--ack")
    assert (status, "✗ signature_verifies" in out) == (1, True)
    backup = bench.folder / "LSP123" / "backup.pub.pem"
    assert bench.verify(json.dumps(ack).encode(), "--ack", key=backup)[0] == 1
    no_algorithm = {**ack, "header": base64url_encode(b'{"kid":"kid-1","alg":"none"}')}
    status, out = bench.verify(json.dumps(no_algorithm).encode(), "--ack")
    assert (status, "✗ algorithm_is_the_agreed_one" in out) == (1, True)


def test_a_key_may_be_a_pem_a_certificate_a_jwk_or_a_set_of_them(bench: Bench) -> None:
    jwk, envelope = VECTOR["jwk"], json.dumps(VECTOR["envelope"]).encode()
    other = {"kty": "EC", "kid": "other", "crv": "P-256", "x": "AA", "y": "AA"}
    assert bench.verify(envelope, key=bench.file("jwk.json", json.dumps(jwk)))[0] == 0
    assert bench.verify(envelope, key=bench.file("set.json", json.dumps({"keys": [other, jwk]})))[0] == 0
    tls = (bench.folder / "LSP123" / "tls.key").read_bytes()
    (bench.folder / "LSP123" / "signing.key").write_bytes(tls)
    assert bench.verify(bench.sign(), key=bench.folder / "LSP123" / "tls.pem")[0] == 0


def test_the_published_sample_verifies_and_its_misprint_does_not(bench: Bench) -> None:
    key, envelope = bench.file("jwk.json", json.dumps(VECTOR["jwk"])), VECTOR["envelope"]
    assert bench.verify(json.dumps(envelope).encode(), "--message", NAME, key=key)[0] == 0
    misprint = {**envelope, "signature": VECTOR["signature_as_printed_a_second_time"]}
    assert bench.verify(json.dumps(misprint).encode(), key=key)[0] == 1


def test_a_kid_that_is_not_in_the_set_fails(bench: Bench) -> None:
    jwks = {"keys": [{**VECTOR["jwk"], "kid": "a"}, {**VECTOR["jwk"], "kid": "b"}]}
    status, out = bench.verify(json.dumps(VECTOR["envelope"]).encode(), key=bench.file("set.json", json.dumps(jwks)))
    assert (status, "✗ kid_selects_a_key_that_counts" in out) == (1, True)


PRINTED_KEY = f"-----BEGIN PUBLIC KEY-----\n{VECTOR['key_as_printed']}\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PRINTED_KEY, "a character may be lost"),
        ("no key", "this is no public RSA key in PEM, X.509 or JWK"),
        ("{", "the JWK does not parse"),
        ('{"keys":[]}', "key: the JWK set is empty; give one with an RSA key"),
        ('{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}', "give one with kty RSA, n and e, for signatures"),
        ('{"hello":"world"}', "the JWK is not a usable RSA public key; give one with kty RSA, n and e, for signatures"),
        ("", "is empty: give a PEM key, certificate, JWK or JWK set"),
    ],
)
def test_a_key_that_cannot_be_used_is_wrong_input(bench: Bench, text: str, said: str) -> None:
    status, out, err = bench.run("verify", "--key", bench.file("key", text), stdin=bench.sign())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--key", "no-such-file"], "no-such-file cannot be read (No such file or directory)"),
        (["--key", "KEY", "no-such-file"], "no-such-file cannot be read"),
        (["--key", "KEY", "--profile", "v9"], "there is no profile v9: choose from v3"),
        (["--key", "KEY", "--message", "Foo"], "there is no message Foo: choose from CreateLoan"),
        (["--key", "KEY", "--at", "noon"], "--at noon: not an RFC 3339 date-time with an offset; write it like"),
        (["--key", "KEY", "--at", "2031-05-06T07:08:09Z", "--now"], "--at and --now are two times"),
        (["--key", "KEY", "--ack", "--now"], "--ack goes without"),
        (["--key", "PRIVATE"], "this is a private key; keep it secret"),
        (["--key", "KEY"], "standard input is empty"),
        ([], "Missing option '--key'"),
    ],
)
def test_wrong_input_to_verify_gives_one_line_and_status_2(bench: Bench, arguments: list[str], said: str) -> None:
    files = {"KEY": str(bench.public), "PRIVATE": str(bench.key)}
    status, out, err = bench.run("verify", *(files.get(argument, argument) for argument in arguments))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "standard input is empty"),
        (b"[]", "the payload: JSON, but not an object: array"),
        (b'{"a":1,"a":2}', "the payload: the member 'a' is repeated"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "a byte order mark"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
    ],
)
def test_a_payload_that_is_no_strict_json_object_is_not_signed(bench: Bench, payload: bytes, said: str) -> None:
    status, out, err = bench.run("sign", "--key", bench.key, "--kid", "k", stdin=payload)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_public_key_does_not_sign(bench: Bench) -> None:
    status, out, err = bench.run("sign", "--key", bench.public, "--kid", "k", stdin=PAYLOAD)
    assert (status, out) == (2, "")
    assert "signing.pub.pem: this is no private key in PEM" in err


def test_an_empty_file_does_not_sign(bench: Bench) -> None:
    status, out, err = bench.run("sign", "--key", bench.file("empty", ""), "--kid", "k", stdin=PAYLOAD)
    assert (status, out) == (2, "")
    assert "empty is empty: give a private key in PEM" in err


def test_a_signature_over_payload_dot_header_does_not_count(bench: Bench) -> None:
    swapped = json.loads(bench.sign())
    swapped["payload"], swapped["header"] = swapped["header"], swapped["payload"]
    assert bench.verify(json.dumps(swapped).encode())[0] == 1
    assert base64url_encode(PAYLOAD) == swapped["header"]
