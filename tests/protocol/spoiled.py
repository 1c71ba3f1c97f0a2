"""What has to hold of every row of the tampering table, whichever version it is of."""

from typing import TypeVar

from shared.node.receive.verify import Refused
from shared.protocol.checks import REQUEST_CHECKS, V4_REQUEST_CHECKS
from shared.protocol.tampering import Good, Tampering
from shared.protocol.verification import Need, Outcome
from tests.protocol.receiver import Receiver

CHECKS = {"v3": REQUEST_CHECKS, "v4": V4_REQUEST_CHECKS}


G = TypeVar("G", bound=Good)


def assert_caught_and_nothing_changed(row: Tampering[G], good: G, receiver: Receiver) -> None:
    """The row's check fails and no earlier one, with the row's code; then the receiver is as it was before."""
    *before, spoiled = row.messages(good)
    assert all(receiver.take(message).passed for message in before)
    nonces, requests = set(receiver.nonces), dict(receiver.requests)
    if Need.JOURNAL not in row.caught_by.needs:
        assert isinstance(receiver.judge(spoiled), Refused)

    verification = receiver.take(spoiled)

    assert verification.failure is not None
    assert verification.failure.check.name == row.caught_by.name
    assert verification.problem is row.problem
    assert 400 <= row.problem.status < 500
    place = CHECKS[row.version].index(row.caught_by)
    outcomes = [step.outcome for step in verification.steps]
    assert outcomes[:place] == [Outcome.PASSED] * place
    assert set(outcomes[place + 1 :]) <= {Outcome.NOT_REACHED}
    assert (receiver.nonces, receiver.requests) == (nonces, requests)
    if not before:
        assert receiver.take(good.send()).passed
