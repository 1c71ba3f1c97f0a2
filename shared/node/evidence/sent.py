"""The evidence of messages that we sent: every try, what was signed in it, and the ack that came back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from shared.catalogue.table import find_message
from shared.node.evidence.judging import SignedText, flaws_of, judge_ack, judge_message, profile_of
from shared.node.evidence.parts import Part, error_of, message_quotes
from shared.node.evidence.recorded import flaws_of_record, recorded_checks
from shared.node.evidence.remembered import Remembered
from shared.node.send.client import UNSIGNED
from shared.node.send.outbox import AttemptOutcome, OutboxState
from shared.protocol.encoding import EncodingError, parse_json_object
from shared.protocol.opened import Peer
from shared.protocol.problems import SUCCESS
from shared.protocol.profiles import Judged, Originator

_NEEDED = {OutboxState.DELIVERED: AttemptOutcome.ACCEPTED, OutboxState.REFUSED: AttemptOutcome.REFUSED}
"""How one of the tries has to have ended for a row to be in that state."""


def sent_parts(
    row: Row[Any], tries: Sequence[Row[Any]], name: str, own_id: str, register: Remembered
) -> Iterator[Part]:
    """Judge a row of the outbox again: each try with its answer. One has the plain name: the accepted, or the last."""
    accepted = next((one for one in tries if one.outcome == AttemptOutcome.ACCEPTED), None)
    decisive = accepted or (tries[-1] if tries else None)
    for number, one in enumerate(tries, start=1):
        one_name = name if one is decisive else f"{name}-try-{number}"
        which = f", try {number} of {len(tries)}" if len(tries) > 1 else ""
        which += ", accepted" if which and one is accepted else ""
        yield from _Try(row, one, own_id, register, is_accepted=one is accepted).parts(one_name, which)
    missing = _missing(row, tries)
    if missing or not tries:
        what = f"{row.message} from {own_id} to {row.receiver}"
        text = SignedText(b"", own_id, row.created_at)
        note = "" if missing else f"not delivered until now: {row.state}"
        yield Part(f"{name}-tries" if tries else name, what, text, flaws=tuple(missing), note=note)


def _missing(row: Row[Any], tries: Sequence[Row[Any]]) -> list[str]:
    """Say what the row promises of its tries that is not there. A re-drive begins to count again, so more may be."""
    flaws = []
    needed = _NEEDED.get(row.state)
    if needed is not None and all(one.outcome != needed for one in tries):
        flaws.append(f"the journal has the message as {row.state}, and no try that ended so: a try is missing")
    if len(tries) < row.tries:
        flaws.append(f"the journal counts {row.tries} tries and has {len(tries)}: {row.tries - len(tries)} missing")
    return flaws


class _Try:
    """One try to deliver, being judged."""

    def __init__(
        self, row: Row[Any], attempt: Row[Any], own_id: str, register: Remembered, *, is_accepted: bool
    ) -> None:
        self._row = row
        self._try = attempt
        self._own_id = own_id
        self._register = register
        self._is_accepted = is_accepted
        self._type = find_message(row.message)
        self._profile = profile_of(self._type)

    def parts(self, name: str, which: str) -> Iterator[Part]:
        """Judge what was sent, and what came back."""
        message = self._message(name, which)
        yield message
        trace_id = message.judged.opened.trace_id if message.judged is not None else ""
        answer = self._answer(f"{name}-ack", which, trace_id or self._try.trace_id)
        if answer is not None:
            yield answer

    def _message(self, name: str, which: str) -> Part:
        row, one = self._row, self._try
        what = f"{row.message} from {self._own_id} to {row.receiver}{which}"
        text = SignedText(one.sent, self._own_id, one.started_at, self._profile, signature=one.signature)
        if not one.sent and not one.kid and one.outcome == AttemptOutcome.FAILED:
            return Part(name, what, text, note=f"nothing was sent: {one.reason}")
        judged = judge_message(text, self._type, self._register)
        flaws = [*flaws_of(text, judged, self._register), *self._disagreements(judged)]
        quotes = message_quotes(judged, row.request_id, text)
        return Part(name, what, text, judged, tuple(flaws), quotes=quotes, is_accepted=self._is_accepted)

    def _answer(self, name: str, which: str, trace_id: str) -> Part | None:
        """Judge the answer; one that was no valid ack at the time is shown, and proves nothing. None came: None."""
        row, one = self._row, self._try
        what = f"ack of {row.receiver} to {self._own_id}{which}"
        peer = Peer(one.certificate, "")
        arrived = one.started_at + timedelta(milliseconds=one.milliseconds)
        text = SignedText(one.answer, row.receiver, arrived, self._profile, peer, one.answer_signature)
        recorded = recorded_checks(one.steps, self._profile.ack_checks)
        if one.outcome == AttemptOutcome.FAILED:
            note = f"no ack that counts: {one.reason}"
            return Part(name, what, text, note=note, recorded=recorded) if one.answer else None
        if one.reason == UNSIGNED and self._profile.wants_token and not one.answer_signature:
            return Part(name, what, text, note="this peer's acks bear no signature", recorded=recorded)
        judged = judge_ack(text, trace_id, self._register)
        flaws = [*flaws_of(text, judged, self._register), *flaws_of_record(recorded)]
        error = error_of(judged)
        if judged.verification.passed and (error == SUCCESS) != (one.outcome == AttemptOutcome.ACCEPTED):
            flaws.append(f"error is {error}, and the journal has the try as {one.outcome}")
        quotes = (("error", error), ("traceId", trace_id))
        return Part(name, what, text, judged, tuple(flaws), "", quotes, recorded, self._is_accepted)

    def _disagreements(self, judged: Judged) -> list[str]:
        """Compare what the rows say with what we signed: the stored content under the metadata of this try."""
        flaws = [] if self._type else [f"{self._row.message} is no message of the catalogue"]
        if judged.verification.failure:
            return flaws
        one = self._try
        if one.kid != judged.opened.kid:
            flaws.append(f"the journal has kid {one.kid}, signed is {judged.opened.kid}")
        if self._row.request_id != judged.opened.request_id:
            flaws.append(f"the journal has it under requestId {self._row.request_id}, signed is another")
        try:
            content = parse_json_object(self._row.content.encode())
            request_id = content.get("requestId", self._row.request_id)
            originator = Originator(self._own_id, str(judged.opened.metadata.get("originatorOrgId", "")))
            stamp = self._profile.stamp(content, originator, request_id, one.trace_id, one.started_at)
            stored = parse_json_object(stamp)
        except (EncodingError, TypeError) as error:  # whoever spoiled the row may have put anything there
            return [*flaws, f"the journal's content cannot be read: {error}"]
        different = _different(stored, judged.opened.document)
        if different:
            flaws.append(f"the journal has other content than was signed: {', '.join(different)}")
        return flaws


def _different(stored: Mapping[str, Any], signed: Mapping[str, Any]) -> list[str]:
    """Name the members that differ, those of the metadata one by one."""
    metadata = (f"metadata.{name}" for name in _unequal(stored["metadata"], signed["metadata"]))
    return [*metadata, *(name for name in _unequal(stored, signed) if name != "metadata")]


def _unequal(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
