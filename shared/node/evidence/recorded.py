"""The checks as the journal recorded them when a text came in."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.node.ops.ledger_views import VerificationStep
from shared.protocol.verification import AnyCheck, Outcome

Checks = Sequence[Mapping[str, Any]]


def recorded_checks(recorded: str, checks: Sequence[AnyCheck]) -> Checks | None:
    """Read what the journal has of these checks; None where somebody has spoiled it."""
    try:
        return [step.model_dump(mode="json") for step in VerificationStep.all_of(recorded, checks)]
    except (ValueError, TypeError):
        return None


def flaws_of_record(checks: Checks | None) -> list[str]:
    """Say what is wrong with the recorded checks of a text that was accepted: none of them may have failed."""
    if checks is None:
        return ["the journal's record of the checks cannot be read"]
    return [f"the journal has {one['check']} as failed" for one in checks if one["outcome"] == Outcome.FAILED]
