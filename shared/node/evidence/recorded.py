"""The checks as the journal recorded them when a text came in."""

from typing import Any

from shared.node.ops.ledger_views import VerificationStep
from shared.protocol.verification import Outcome


def recorded_checks(steps: str) -> list[dict[str, Any]] | None:
    """Read what `steps_text` wrote; None where somebody has spoiled it."""
    try:
        return [step.model_dump(mode="json") for step in VerificationStep.all_of(steps)]
    except (ValueError, TypeError):
        return None


def flaws_of_record(steps: str) -> list[str]:
    """Say what is wrong with the recorded checks of a text that was accepted: none of them may have failed."""
    checks = recorded_checks(steps)
    if checks is None:
        return ["the journal's record of the checks cannot be read"]
    return [f"the journal has {one['check']} as failed" for one in checks if one["outcome"] == Outcome.FAILED]
