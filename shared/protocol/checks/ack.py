"""What an acknowledgement has to be, beyond the envelope that it shares with every message."""

from shared.protocol.participants import Dialect
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.verification import Examination, Finding, Need, check


@check(Problem.MANDATORY_MISSING)
def ack_has_its_members(examination: Examination) -> Finding:
    """The ack has error, traceId and timestamp, flat or inside ack (OCEN schema of the ack)."""
    inner = examination.document.get("ack", examination.document)
    expected = "error, traceId and timestamp"
    if not isinstance(inner, dict):
        return Finding(False, expected, "an ack that is no object")
    if examination.holder is not None and examination.holder.dialect is Dialect.AUTHSTARTER:
        inner = {
            **inner,
            "error": SUCCESS if inner.get("error") is None else inner["error"],
        }  # as starters say it (C12)
    missing = [name for name in ("error", "traceId", "timestamp") if not isinstance(inner.get(name), str)]
    examination.document = inner
    return Finding(not missing, expected, f"without {', '.join(missing)}" if missing else "all three")


@check(Problem.SIGNATURE, Need.SENT_MESSAGE)
def ack_names_our_trace_id(examination: Examination) -> Finding:
    """The ack names the traceId of the message that it answers (OCEN schema of the ack, traceId)."""
    assert examination.sent_trace_id is not None
    found = str(examination.document["traceId"])
    return Finding(found == examination.sent_trace_id, examination.sent_trace_id, found[:80])
