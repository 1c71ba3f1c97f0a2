"""The evidence of an exchange that nobody has touched: complete, verifiable with openssl alone, always the same."""

import hashlib
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from sqlalchemy import Engine

from shared.node.onboarding.register import save_record
from shared.node.tables import ATTEMPTS, INBOX
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.envelope import seal
from shared.protocol.participants import KeyStatus
from tests.equipment.clock import NOW
from tests.equipment.counterparty import answering, failing
from tests.equipment.evidence import OPENSSL, SHELLS, delete, spoil, unpack
from tests.equipment.parties import LENDER, LSP, lsp_key, signing_key
from tests.equipment.records import key_of, lsp_record, public_pem
from tests.equipment.storage import rows
from tests.node.exchanged import (
    LENDER_DER,
    REQUEST_ID,
    acked,
    bundle_of,
    evidence,
    exchange,
    register,
)

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed here")

THUMBPRINT = hashlib.sha256(LENDER_DER).hexdigest()
ALL = ["1-request-try-1", "1-request", "1-request-ack", "2-callback", "2-callback-ack"]


async def test_every_signed_text_is_in_it_byte_for_byte_and_holds(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    made = evidence(engine, tmp_path)
    assert made.manifest["holds"]
    assert [(name, part["verdict"]) for name, part in made.parts.items()] == [(name, "holds") for name in ALL]
    (first, second), (callback,) = rows(engine, ATTEMPTS), rows(engine, INBOX)
    travelled = [first["sent"], second["sent"], second["answer"], callback["raw"], callback["ack"]]
    assert [(made.folder / f"{name}.json").read_bytes() for name in ALL] == travelled
    assert "Every signed text in it holds." in made.readme
    assert [path.name for path in (made.folder / "certificates").iterdir()] == [f"{THUMBPRINT}.pem"]


@pytest.mark.parametrize("shell", SHELLS)
async def test_the_script_verifies_every_part_with_no_program_but_openssl(
    engine: Engine, tmp_path: Path, shell: str
) -> None:
    await exchange(engine)
    done = evidence(engine, tmp_path).verify(shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [f"OK    {name}" for name in ("files", *ALL)]


async def test_of_several_tries_the_accepted_one_is_marked(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    made = evidence(engine, tmp_path)
    marked = [name for name, part in made.parts.items() if part["accepted"]]
    assert marked == [name for name in ALL if "try" not in name]
    assert made.parts["1-request"]["what"] == "TriggerLoanAcceptanceRequest of LSP123"
    assert "    holds, accepted\n1-request-ack: ack of LENDER01\n" in made.readme


async def test_the_manifest_says_who_signed_what_and_when(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    made = evidence(engine, tmp_path)
    callback = made.parts["2-callback"]
    assert (made.manifest["bundle"], made.manifest["evidence_of"], made.manifest["journal_of"]) == (2, REQUEST_ID, LSP)
    assert (callback["signer"], callback["kid"]) == (LENDER, "LENDER01-kid")
    assert callback["stated_by_this_node"] == {
        "at": "2031-03-04T05:07:07.890Z",
        "key_status": "ACTIVE",
        "certificate": THUMBPRINT,
    }
    assert callback["says"] == {
        "requestId": REQUEST_ID,
        "traceId": "trace-of-the-callback",
        "timestamp": "2031-03-04T05:07:07.890000+00:00",
        "orgId": LENDER,
    }
    assert made.parts["1-request-ack"]["says"]["traceId"] == made.parts["1-request"]["says"]["traceId"]


async def test_the_manifest_and_the_sums_have_the_sha256_of_every_file(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    made = evidence(engine, tmp_path)
    there = {str(file.relative_to(made.folder)): file for file in made.folder.rglob("*") if file.is_file()}
    sums = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in there.items()}
    del sums["SHA256SUMS"]
    listed = dict(line.split("  ")[::-1] for line in (made.folder / "SHA256SUMS").read_text().splitlines())
    assert listed == sums
    assert made.manifest["files"] == {name: digest for name, digest in sums.items() if name != "manifest.json"}


async def test_the_same_journal_gives_the_same_bytes(engine: Engine) -> None:
    await exchange(engine)
    bundle = bundle_of(engine)
    assert bundle is not None
    assert bundle == bundle_of(engine)
    with ZipFile(BytesIO(bundle)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


async def test_a_key_that_was_rotated_and_blocked_afterwards_still_proves_what_it_signed(
    engine: Engine, tmp_path: Path
) -> None:
    await exchange(engine)
    rotated = lsp_record(keys=[key_of("leaf", "new-kid"), key_of("lsp", "lsp-kid", status="BLOCKED")])
    with engine.begin() as connection:
        save_record(connection, rotated, NOW + timedelta(days=1), "stolen")
    made = evidence(engine, tmp_path)
    assert made.manifest["holds"]
    assert made.verify().returncode == 0
    events = [event for event in made.stated["key_events"] if event["kid"] == "lsp-kid"]
    assert [(event["status"], event["reason"]) for event in events] == [("ACTIVE", ""), ("BLOCKED", "stolen")]
    assert {(made.folder / part["key"]).read_text() for part in made.manifest["parts"]} == {
        public_pem("lsp"),
        public_pem("LENDER01"),
    }


async def test_what_was_signed_after_the_key_was_blocked_does_not_hold(engine: Engine, tmp_path: Path) -> None:
    blocked = lsp_record(keys=[key_of("leaf", "new-kid"), key_of("lsp", "lsp-kid", status=KeyStatus.BLOCKED)])
    register(engine, lsp_record())
    with engine.begin() as connection:
        save_record(connection, blocked, NOW - timedelta(hours=1), "stolen")
    await exchange(engine, registers=False)
    made = evidence(engine, tmp_path)
    assert not made.manifest["holds"]
    assert made.parts["1-request"]["stated_by_this_node"]["key_status"] == "BLOCKED"
    assert "found lsp-kid, BLOCKED key of LSP123" in made.parts["1-request"]["flaws"][0]
    assert made.verify().returncode == 1


KIDS = ["../../etc/passwd", 'a "b" c', "$(touch x) `y` ${z}", r"back\slash 'quote' %s *", "-rf", "con", " "]


@pytest.mark.parametrize("kid", KIDS)
async def test_any_kid_verifies_and_no_file_is_called_by_it(engine: Engine, tmp_path: Path, kid: str) -> None:
    await exchange(engine, lender_signs_with=signing_key("LENDER01", kid))
    made = evidence(engine, tmp_path)
    done = made.verify()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    with ZipFile(BytesIO(bundle_of(engine) or b"")) as archive:
        names = archive.namelist()
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-./") for name in names)
    assert not any(".." in name or name.startswith(("/", "-")) for name in names)
    assert made.parts["2-callback"]["kid"] == kid


@pytest.mark.parametrize("request_id", ['r "1" \\', "a/b/../c", "%s $(x)", "N: *", "{own_id}"])
async def test_any_request_id_can_be_proved(engine: Engine, tmp_path: Path, request_id: str) -> None:
    await exchange(engine, request_id=request_id)
    made = evidence(engine, tmp_path, request_id=request_id)
    assert made.verify().returncode == 0
    assert made.readme.startswith(f"EVIDENCE of requestId {request_id}\n")


async def test_an_ack_in_another_shape_and_spelling_holds(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine, acked(change=lambda ack: {"note": 'an "error" of "0"', "ack": ack}))
    made = evidence(engine, tmp_path)
    assert made.manifest["holds"]
    assert made.verify().returncode == 0


async def test_an_answer_that_was_no_ack_is_shown_and_proves_nothing(engine: Engine, tmp_path: Path) -> None:
    page = b"<html>bad gateway</html>"
    await exchange(engine, answering(page, 502, certificate=LENDER_DER), acked())
    made = evidence(engine, tmp_path)
    answer = made.parts["1-request-try-1-ack"]
    assert (answer["verdict"], answer["accepted"]) == ("nothing to verify", False)
    assert answer["note"].startswith("no ack that counts: body_is_a_json_object: ")
    assert made.stated["attempts"][0]["reason"].startswith("HTTP 502 without a valid ack")
    assert (made.folder / "1-request-try-1-ack.json").read_bytes() == page
    assert made.verify().returncode == 0


async def test_of_an_answer_that_was_too_long_for_an_ack_the_kept_part_is_shown_as_one(
    engine: Engine, tmp_path: Path
) -> None:
    page = b"<p>bad gateway</p>" * 5_000
    await exchange(engine, answering(page, 502, certificate=LENDER_DER), acked())
    made = evidence(engine, tmp_path)
    reason = "HTTP 502 without a valid ack: 90000 bytes, and an ack has at most 65536; the first 65536 are kept"
    assert made.parts["1-request-try-1-ack"]["verdict"] == "nothing to verify"
    assert made.stated["attempts"][0]["reason"] == reason
    assert (made.folder / "1-request-try-1-ack.json").read_bytes() == page[:65_536]
    assert rows(engine, ATTEMPTS)[0]["answer"] == page[:65_536]
    assert made.manifest["holds"]
    assert made.verify().returncode == 0


async def test_a_signed_refusal_is_proved_as_one(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine, acked("GEN5010", 409), answers=False)
    made = evidence(engine, tmp_path)
    assert made.manifest["holds"]
    assert made.parts["1-request-ack"]["says"]["error"] == "GEN5010"
    assert not made.parts["1-request"]["accepted"]
    assert made.verify().returncode == 0


async def test_a_message_that_is_not_delivered_yet_has_its_tries_and_nothing_missing(
    engine: Engine, tmp_path: Path
) -> None:
    await exchange(engine, failing(httpx.ConnectError("nobody listens")), answers=False)
    made = evidence(engine, tmp_path)
    assert [(name, part["verdict"]) for name, part in made.parts.items()] == [("1-request", "holds")]
    assert made.verify().returncode == 0


async def test_nothing_is_made_of_a_request_that_nobody_knows(engine: Engine) -> None:
    await exchange(engine)
    assert bundle_of(engine, "request-2") is None


async def test_no_private_key_is_in_it_and_the_readme_speaks_of_the_otp(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    bundle = bundle_of(engine)
    assert bundle is not None
    assert b"PRIVATE KEY" not in bundle
    assert "a VerifyLoanAcceptanceRequest holds the OTP as it was sent" in unpack(bundle, tmp_path / "x").readme


async def test_what_nobody_has_signed_stands_apart_as_stated_by_the_node(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    made = evidence(engine, tmp_path)
    proved, _, stated = made.readme.partition("\nSTATED by this node, and signed by nobody\n")
    for fact in (
        "state DELIVERED",
        "certificate " + THUMBPRINT,
        "outcome ACCEPTED",
        "reason acknowledged",
        "status ACTIVE",
    ):
        assert fact not in proved
        assert fact in stated
    assert [row["outcome"] for row in made.stated["attempts"]] == ["FAILED", "ACCEPTED"]
    assert [row["steps"] for row in made.stated["inbox"]] == ["{}"]


async def test_a_valid_ack_counts_whatever_the_rows_say(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    for column, value in (("outcome", "FAILED"), ("reason", "no answer"), ("status", None), ("steps", "[")):
        spoil(engine, f"attempts.{column}", lambda _, value=value: value)
    spoil(engine, "outbox.state", lambda _: "DEAD")
    made = evidence(engine, tmp_path)
    assert [(name, part["verdict"]) for name, part in made.parts.items()] == [(name, "holds") for name in ALL]
    assert made.parts["1-request"]["accepted"]
    assert made.verify().returncode == 0
    spoil(engine, "attempts.sent", lambda _: b"")
    made = unpack(bundle_of(engine), tmp_path / "without what was sent")
    assert (made.parts["1-request"]["verdict"], made.parts["1-request-ack"]["verdict"]) == (
        "nothing to verify",
        "holds",
    )


async def test_what_an_ack_says_counts_and_not_that_its_message_was_stored(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    refusal = dump_json(
        {"error": "GEN5010", "traceId": "trace-of-the-callback", "timestamp": "2031-03-04T05:06:07.890Z"}
    )
    spoil(engine, "inbox.ack", lambda _: seal(refusal, lsp_key()).to_bytes())
    made = evidence(engine, tmp_path)
    assert made.parts["2-callback-ack"]["says"]["error"] == "GEN5010"
    assert not made.parts["2-callback"]["accepted"]
    assert made.verify().returncode == 0


async def test_without_an_ack_nothing_is_claimed_to_have_arrived(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    delete(engine, "attempts", outcome="ACCEPTED")
    made = evidence(engine, tmp_path)
    assert (made.parts["1-request"]["verdict"], made.parts["1-request"]["accepted"]) == ("holds", False)
    assert "1-request-ack" not in made.parts
    delete(engine, "attempts")
    made = unpack(bundle_of(engine), tmp_path / "without tries")
    assert made.parts["1-request"]["verdict"] == "nothing to verify"
    assert made.parts["1-request"]["note"] == "no try to deliver it is in the journal"
    assert made.verify().returncode == 0


async def test_a_bundle_that_was_changed_afterwards_fails(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    made = evidence(engine, tmp_path)
    payload = made.folder / "2-callback.payload.json"
    before = payload.read_bytes()
    payload.write_bytes(before.replace(b"request-1", b"request-2"))
    done = made.verify()
    assert done.returncode == 1
    assert (
        "FAIL  files: every file is as it was packed: 2-callback.payload.json is not as SHA256SUMS says" in done.stdout
    )
    assert "2-callback.json is not made of these parts; the signature is not that of keys/" in done.stdout
    assert 'the signed payload does not say "requestId":"request-1"' in done.stdout
    assert base64url_encode(before) in (made.folder / "2-callback.json").read_text()


async def test_a_file_that_is_missing_fails(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    made = evidence(engine, tmp_path)
    (made.folder / "1-request-ack.signature").unlink()
    assert made.verify().returncode == 1
    (made.folder / "parts.txt").unlink()
    done = made.verify()
    assert (done.returncode, done.stderr) == (2, "parts.txt cannot be read here; unpack the whole bundle\n")
