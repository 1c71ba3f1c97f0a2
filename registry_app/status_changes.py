"""Changes of a participant's status at the registry: from which statuses each may be made, and what it leads to.

The registry's API has no status for one that was approved and is so no longer: a suspended participant is
UNDER_REVIEW again, and is not served.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.catalogue.bodies.v4.registry import RoleStatus


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One change: the statuses that it starts from, the one that it leads to, and what to do if it is not possible."""

    begins: frozenset[RoleStatus]
    ends: RoleStatus
    hint: str

    def columns(self, now: datetime, by: str, reason: str) -> Mapping[str, Any]:
        """Return the columns of the participant after the step; `by` is who approved it."""
        is_approved = self.ends is RoleStatus.APPROVED
        return {
            "status": self.ends.value,
            "status_because": reason,
            "approved_at": now if is_approved else None,
            "approved_by": by if is_approved else "",
        }


APPLYING: Final = frozenset({RoleStatus.APPLIED, RoleStatus.UNDER_REVIEW})
"""The statuses of who may be approved yet, or again."""

APPROVE: Final = StatusChange(APPLYING | {RoleStatus.REJECTED}, RoleStatus.APPROVED, "it is approved already")

SUSPEND: Final = StatusChange(
    frozenset({RoleStatus.APPROVED}), RoleStatus.UNDER_REVIEW, "only one that is APPROVED can be suspended"
)

REJECT: Final = StatusChange(APPLYING, RoleStatus.REJECTED, "suspend it first, or offboard it")
