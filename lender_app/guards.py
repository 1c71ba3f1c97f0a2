"""The conditions of the transition table, one predicate each; their names stand in the diagram of the states."""

from lender_app.loan import AgreementState, ConsentState, Facts, IntakeState, OfferChoice, OfferState, OtpResult, Page

_MAY_ASK_FOR_CONSENT = (OfferState.NONE, OfferState.UNDERWRITING, OfferState.ACTION_REQUIRED, OfferState.EXPIRED)
_NOT_DECIDED = (ConsentState.NONE, ConsentState.REQUESTED, ConsentState.PENDING, ConsentState.FAILED)


def alive(facts: Facts) -> bool:
    """The application may still become a loan."""
    return facts.milestones.is_alive


def intake_open(facts: Facts) -> bool:
    """The application was taken, with all its documents."""
    return facts.milestones.intake is IntakeState.OPEN


def acceptable(facts: Facts) -> bool:
    """Nothing is against the application."""
    return facts.policy_passes and facts.invoice_is_free


def acceptable_and_documents_follow(facts: Facts) -> bool:
    """Nothing is against the application, but its documents are not all here."""
    return acceptable(facts) and facts.documents_follow


def same_content(facts: Facts) -> bool:
    """It is the application that is already here."""
    return facts.same_content


def more_pages_follow(facts: Facts) -> bool:
    """It is the page asked for, and not the last."""
    return facts.page is Page.MORE_FOLLOW


def last_page(facts: Facts) -> bool:
    """It is the page asked for, and the last."""
    return facts.page is Page.LAST


def may_be_cancelled(facts: Facts) -> bool:
    """The application lives and no money has moved."""
    return alive(facts) and not facts.money_has_moved


def data_may_be_asked_for(facts: Facts) -> bool:
    """The one-time consent may be asked for: no offer stands, and a round is left."""
    return (
        alive(facts)
        and facts.one_borrower
        and facts.consent_round_left
        and facts.milestones.offer in _MAY_ASK_FOR_CONSENT
    )


def monitoring_may_be_asked_for(facts: Facts) -> bool:
    """The periodic consent may be asked for: from the agreement on, until the loan has ended."""
    return (
        alive(facts)
        and facts.one_borrower
        and facts.milestones.agreement is AgreementState.COMPLETED
        and not facts.loan_has_ended
    )


def data_not_fetched(facts: Facts) -> bool:
    """The consent is still needed, for the data are not here yet."""
    return not facts.data_fetched


def consents_used_up(facts: Facts) -> bool:
    """The borrower has refused for the last time."""
    return alive(facts) and facts.milestones.consent is ConsentState.FAILED and not facts.consent_round_left


def consent_or_documents_missing(facts: Facts) -> bool:
    """There is no decision on the consent yet, or documents are still coming."""
    milestones = facts.milestones
    return alive(facts) and (milestones.consent in _NOT_DECIDED or milestones.intake is IntakeState.COLLECTING)


def data_may_be_fetched(facts: Facts) -> bool:
    """The consent is given or none is needed, and the documents are here."""
    has_consent = facts.milestones.consent in (ConsentState.READY, ConsentState.NOT_NEEDED)
    return alive(facts) and has_consent and intake_open(facts)


def offer_round_left(facts: Facts) -> bool:
    """Offers may be made once more."""
    return facts.offer_round_left


def documents_as_asked(facts: Facts) -> bool:
    """Each document is one that was asked for."""
    return alive(facts) and facts.documents_as_asked


def offer_valid_and_invoice_free(facts: Facts) -> bool:
    """The offer can be accepted."""
    return offer_valid(facts) and facts.invoice_is_free


def offer_valid(facts: Facts) -> bool:
    """The offer is one of this round and has not run out."""
    return alive(facts) and facts.chosen_offer is OfferChoice.VALID


def offer_run_out(facts: Facts) -> bool:
    """The offer has run out, or newer ones have been made."""
    return intake_open(facts) and facts.chosen_offer in (OfferChoice.RUN_OUT, OfferChoice.OF_EARLIER_ROUND)


def offer_already_accepted(facts: Facts) -> bool:
    """It is the offer that was accepted."""
    return facts.chosen_offer is OfferChoice.ACCEPTED


def offer_may_be_replaced(facts: Facts) -> bool:
    """Another valid offer is chosen before the agreement is complete."""
    return offer_valid(facts) and facts.milestones.agreement is not AgreementState.COMPLETED


def replacement_has_run_out(facts: Facts) -> bool:
    """Another offer is chosen before the agreement is complete, but it has run out."""
    is_complete = facts.milestones.agreement is AgreementState.COMPLETED
    return alive(facts) and facts.chosen_offer is OfferChoice.RUN_OUT and not is_complete


def offer_never_made(facts: Facts) -> bool:
    """No such offer was made for this application."""
    return facts.chosen_offer is OfferChoice.NEVER_MADE


def text_in_offer(facts: Facts) -> bool:
    """The offer carries the text of the agreement."""
    return facts.text_in_offer


def agreement_possible(facts: Facts) -> bool:
    """The offer is accepted, KYC is done, and the borrower has nothing left to do."""
    return action_before_agreement(facts) and not facts.action_left


def action_before_agreement(facts: Facts) -> bool:
    """The offer is accepted and KYC is done."""
    return alive(facts) and facts.milestones.offer is OfferState.ACCEPTED and facts.kyc_done


def otp_may_be_sent(facts: Facts) -> bool:
    """All applications are of one borrower, who may have one more OTP."""
    return alive(facts) and facts.one_borrower and facts.otp_left


def right_otp(facts: Facts) -> bool:
    """The OTP is right."""
    return facts.otp is OtpResult.RIGHT


def wrong_too_often(facts: Facts) -> bool:
    """The OTP is wrong, for the last time over all sessions."""
    return facts.otp is OtpResult.WRONG_TOO_OFTEN


def wrong_last_try(facts: Facts) -> bool:
    """The OTP is wrong, and the session has no try left."""
    return facts.otp is OtpResult.WRONG_LAST_TRY


def wrong_otp(facts: Facts) -> bool:
    """The OTP is wrong, and the session goes on."""
    return facts.otp is OtpResult.WRONG
