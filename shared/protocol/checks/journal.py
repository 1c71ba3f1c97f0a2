"""What only the journal of earlier messages can tell. The journal reports what it found; the words stand here."""

from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, History, Need, check


@check(Problem.REPLAYED, Need.JOURNAL)
def nonce_is_new(history: History) -> Finding:
    """The sender has not used this timestamp with this traceId before (OCEN v3 Security, nonce; RFC 7515 s10.10)."""
    return Finding(history is not History.NONCE_USED, History.NEW.value, history.value)


@check(Problem.CONFLICT, Need.JOURNAL)
def request_id_is_new_or_repeats_its_content(history: History) -> Finding:
    """The requestId is new for its sender, or its message is repeated (OCEN 4.0 API design, Idempotency)."""
    return Finding(history is not History.CONFLICT, "a new requestId, or the same message again", history.value)
