"""Loan applications: taken or rejected one by one, cancelled when nothing follows in time (OCEN v3 and 4.0)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lender_app import loans, wire
from lender_app.applications import ApplicationForm, Rejection, judge
from lender_app.journey import lender
from lender_app.journey.ending import ended
from lender_app.loan import Axis, Event
from lender_app.loans import Loan, new_loan, new_loan_records
from lender_app.policy import Policy
from lender_app.transitions import Refusal
from shared.node.rules import Moment, Records, Reply, Timer, all_of
from shared.protocol.nonces import content_fingerprint
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one application of a message: the loan, the reasons against it, or why it is not taken at all."""

    loan: Loan
    rejections: Sequence[Rejection] = ()
    refusal: Refusal | None = None
    is_new: bool = False


@lender.answers("CreateLoanApplications")
def create_applications(asked: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
    """Take or reject each application. One that is there already, unchanged, is answered with its present state."""
    forms, sender = wire.application_forms(asked), asked.sender.id
    ids = [form.id for form in forms]
    for loan_application_id, times in Counter(ids).items():
        if times > 1:
            return Reply(Problem.VALUE, f"loanApplicationId {loan_application_id} stands {times} times in it")
    version, known = asked.message_type.version, {loan.id: loan for loan in loans.find_loans(records, sender, ids)}
    judged = []
    for form, fingerprint in zip(forms, _fingerprints(asked), strict=True):
        loan = known.get(form.id) or new_loan(form, sender, version, fingerprint)
        is_same = loan.fingerprint == fingerprint
        judged.append(_judge(loan, form, policy, now, is_new=form.id not in known, is_same=is_same))
    if all(application.refusal is not None for application in judged):
        reason = f"loanApplicationId {forms[0].id} has been used for another application; take a new one"
        return Reply(Problem.OTHER_CONTENT, reason)
    new = [application.loan for application in judged if application.is_new]
    return Reply(
        records=[record for loan in new for record in new_loan_records(loan)],
        timers=[_end_of_life(loan, policy, now) for loan in new if loan.milestones.is_alive],
        outgoing=[wire.applications_response(asked, judged)],
    )


@lender.when_due("application life")
def application_life_over(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Cancel an application that has led to nothing in time."""
    loan = loans.loan_of(records[due.data["loan"]])
    moved = loan.move(Axis.INTAKE, Event.APPLICATION_LIFE_OVER, policy.figures)
    assert not isinstance(moved, Refusal)
    loan, steps = moved
    return all_of([Reply(records=[loans.loan_record(loan)]), ended(loan, steps, records, now)])


def _judge(loan: Loan, form: ApplicationForm, policy: Policy, now: Moment, *, is_new: bool, is_same: bool) -> Judged:
    rejections = judge(form, policy.lending, policy.figures, now.protocol) if is_new else ()
    moved = loan.move(
        Axis.INTAKE,
        Event.CREATE_LOAN_APPLICATIONS,
        policy.figures,
        policy_passes=not rejections,
        invoice_is_free=True,
        same_content=is_same,
    )
    if isinstance(moved, Refusal):
        return Judged(loan, refusal=moved)
    return Judged(moved[0], rejections, is_new=is_new)


def _fingerprints(asked: VerifiedMessage) -> list[str]:
    return [
        content_fingerprint("loanApplication", {"metadata": {}, "loanApplication": item}).hex()
        for item in asked.document["loanApplications"]
    ]


def _end_of_life(loan: Loan, policy: Policy, now: Moment) -> Timer:
    at = now.business + policy.figures.application_life
    return Timer(f"application life\n{loan.record_id}", "application life", at, {"loan": loan.record_id})
