"""What an acknowledgement has to be, beyond the envelope that it shares with every message."""

from shared.protocol.phases import Identified
from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, Need, check


@check(Problem.MANDATORY_MISSING)
def ack_has_its_members(message: Identified) -> Finding:
    """The ack has error, traceId and timestamp, flat or inside ack (OCEN schema of the ack)."""
    expected = "error, traceId and timestamp"
    if not isinstance(message.opened.claims.document.get("ack", {}), dict):
        return Finding(False, expected, "an ack that is no object")
    missing = [name for name in ("error", "traceId", "timestamp") if not isinstance(message.ack.get(name), str)]
    return Finding(not missing, expected, f"without {', '.join(missing)}" if missing else "all three")


@check(Problem.SIGNATURE, Need.SENT_MESSAGE)
def ack_names_our_trace_id(message: Identified) -> Finding:
    """The ack names the traceId of the message that it answers (OCEN schema of the ack, traceId)."""
    found = message.ack["traceId"]
    return Finding(found == message.opened.answers, message.opened.answers, found[:80])
