"""What the LSP asks next: decided in the transaction that accepts a callback, or when a timer says so.

Every request has a new requestId and keeps the ids of the business. A callback that no track waits for is kept in the
journal and changes nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from lsp_app.borrower import Preference, choose, offers_seen
from lsp_app.policy import Policy
from lsp_app.track import (
    Journey,
    Stage,
    Track,
    awaiting_track,
    journey_of,
    journey_record,
    track_of,
    track_record,
    tracks_of,
)
from shared.catalogue.table import get_message
from shared.node.rules import (
    Moment,
    Order,
    Outgoing,
    Records,
    Reply,
    Rules,
    Timer,
    TimerClock,
    Undelivered,
    all_of,
)
from shared.protocol.encoding import dump_json
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import SUCCESS, Problem

lsp: Rules[Policy] = Rules()

_TrackRule = Callable[[Track, Any, Records, Policy, Moment], Reply]
"""A rule from the track that waited and the body of its callback."""

_ASKED_BY_US = ("CreateLoanApplications", "ConsentHandle", "ConsentStatus", "GenerateOffers")


@lsp.when_ordered("start")
def start(order: Order, records: Records, policy: Policy, now: Moment) -> Reply:
    """Apply for a loan at each lender (OCEN v3 CreateLoanApplications).

    `data`: `lenders`, their ids; `application`, one item of the request, whose loanApplicationId is that of the order
    if it has none; `vua`, the borrower's address at his Account Aggregator; `preference`, apr or instalment.
    """
    lenders, application = order.data.get("lenders"), order.data.get("application")
    if not isinstance(lenders, list) or not lenders or not isinstance(application, dict):
        return Reply(Problem.VALUE, "say for whom and at whom: lenders is a list of ids, application an object")
    try:
        # As it will be read back: of what is asked again no number may have become a text.
        application = json.loads(dump_json({"loanApplicationId": order.id, **application}))
    except ValueError as error:
        return Reply(Problem.VALUE, f"application: {error}")
    try:
        preference = Preference(order.data.get("preference", Preference.APR.value))
    except ValueError:
        return Reply(Problem.VALUE, f"preference is none of {', '.join(Preference)}")
    vua = str(order.data.get("vua", "borrower@aa.example"))
    tracks = [
        Track(order.id, lender, str(application["loanApplicationId"]), vua)
        for lender in dict.fromkeys(map(str, lenders))
    ]
    if any(track.id in records for track in tracks):
        return Reply(Problem.CONFLICT, f"{application['loanApplicationId']} has been applied for already")
    journey = Journey(order.id, [track.id for track in tracks], preference)
    asked = [
        _ask(track, "CreateLoanApplications", {"loanApplications": [application]}, policy, now) for track in tracks
    ]
    return all_of([Reply(records=[journey_record(journey)]), *asked])


def _on_callback(exchange: str) -> Callable[[_TrackRule], _TrackRule]:
    """Register a rule for the callbacks of an exchange that a track waits for, and that report no error."""

    def keep(rule: _TrackRule) -> _TrackRule:
        @lsp.hears(exchange, "v3")
        def on_callback(message: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
            track = awaiting_track(records, message.sender.id, message.request_id)
            if track is None:
                return Reply()
            content = cast("Any", message.content)
            if content.response.error != SUCCESS:
                return _after_error(track, content.response.error, records, policy, now)
            return rule(_answered(track), content, records, policy, now)

        return rule

    return keep


@_on_callback("CreateLoanApplications")
def application_answered(track: Track, content: Any, records: Records, policy: Policy, now: Moment) -> Reply:
    """Send the borrower for his consent, where the application is being processed."""
    application = _application_of(track, content)
    if application is None:
        return _finished(replace(track, stage=Stage.STOPPED, outcome="not in the answer"), records, now)
    if application.loan_application_status == "REJECTED":
        return _finished(replace(track, stage=Stage.ENDED, outcome=_rejection(application)), records, now)
    return _ask_for_consent(track, policy, now)


@_on_callback("ConsentHandle")
def consent_handle_received(track: Track, content: Any, records: Records, policy: Policy, now: Moment) -> Reply:
    """Send the borrower to his Account Aggregator, and ask for the status when he is back: in the sandbox at once."""
    handle = content.consent.consent_handle
    track = replace(track, handle=handle, give_up_at=now.business + policy.consent_give_up)
    return _ask_later(track, "ConsentStatus", {"consent": {"consentHandle": handle}}, now.business)


@_on_callback("ConsentStatus")
def consent_status_received(track: Track, content: Any, records: Records, policy: Policy, now: Moment) -> Reply:
    """READY: ask for offers. PENDING: ask again. FAILED: ask the borrower again, so often as the policy says."""
    status = content.consent.consent_status
    if status == "READY":
        track = replace(track, stage=Stage.OFFERS, give_up_at=now.business + policy.decision_give_up)
        return _ask(track, "GenerateOffers", {"loanApplicationIds": [track.application_id]}, policy, now)
    if status == "PENDING":
        return _poll(track, "the consent was not given in time", records, policy, now)
    if track.consent_rounds < policy.consent_rounds:
        return _ask_for_consent(track, policy, now)
    return _finished(replace(track, stage=Stage.ENDED, outcome="the borrower has refused his consent"), records, now)


@_on_callback("GenerateOffers")
def offers_received(track: Track, content: Any, records: Records, policy: Policy, now: Moment) -> Reply:
    """Keep the offers; the borrower chooses when every lender has answered, or some time after the first offer."""
    application = _application_of(track, content)
    status = "" if application is None else application.loan_application_status
    if application is None or status not in ("PROCESSING", "OFFERED", "REJECTED"):
        outcome = status and f"{status}: {'; '.join(wanted.description for wanted in application.action_required)}"
        return _finished(replace(track, stage=Stage.STOPPED, outcome=outcome or "not in the answer"), records, now)
    if status == "PROCESSING":
        return _poll(track, "no decision in time", records, policy, now)
    if status == "REJECTED":
        return _finished(replace(track, stage=Stage.ENDED, outcome=_rejection(application)), records, now)
    offered = replace(track, stage=Stage.OFFERED, offers=offers_seen(track.lender, application.offers))
    return all_of([_closing_auction(track, records, policy, now), _finished(offered, records, now)])


@lsp.when_due("ask again")
def ask_again(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Ask what the timer says: a status once more, or what the lender could not do."""
    track = track_of(records, due.data["track"])
    if track.stage.is_final or track.request_id:
        return Reply()
    return _ask(track, due.data["exchange"], due.data["content"], policy, now)


@lsp.when_due("callback missing")
def callback_missing(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Ask the same once more under a new requestId; stop if that gets no callback either."""
    track = track_of(records, due.data["track"])
    if track.stage.is_final or track.request_id != due.data["requestId"]:
        return Reply()
    if track.is_repeated:
        return _finished(replace(track, stage=Stage.STOPPED, outcome=f"no answer to {track.exchange}"), records, now)
    asked = _ask(track, track.exchange, track.content, policy, now)
    (record,) = asked.records
    return replace(asked, records=[replace(record, state={**record.state, "is_repeated": True})])


@lsp.when_due("auction close")
def auction_close(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Let the borrower choose among the offers that are here."""
    return _choose(journey_of(records, due.data["journey"]), records, {})


def undelivered(given_up: Undelivered, records: Records, policy: Policy, now: Moment) -> Reply:
    """Stop the track whose request was refused for good or could not be delivered."""
    outgoing = given_up.outgoing
    track = awaiting_track(records, outgoing.receiver, outgoing.request_id)
    if track is None:
        return Reply()
    what = "was refused" if given_up.is_refused else "could not be delivered"
    outcome = f"{outgoing.message.name} {what}: {given_up.reason}"
    return _finished(replace(track, stage=Stage.STOPPED, outcome=outcome), records, now)


for exchange in _ASKED_BY_US:
    lsp.when_undelivered(exchange, "v3")(undelivered)


def _ask(track: Track, exchange: str, content: Mapping[str, Any], policy: Policy, now: Moment) -> Reply:
    """Ask under a new requestId, and see to it that a missing callback is noticed."""
    request_id = policy.draw_id()
    track = replace(track, request_id=request_id, exchange=exchange, content=content)
    message = get_message("v3", f"{exchange}Request")
    data = {"track": track.id, "requestId": request_id}
    wait = Timer(
        f"callback of {track.id}", "callback missing", now.protocol + policy.callback_wait, data, TimerClock.PROTOCOL
    )
    outgoing = Outgoing(track.lender, message, request_id, {"requestId": request_id, **content})
    return Reply(records=[track_record(track)], outgoing=[outgoing], timers=[wait])


def _ask_for_consent(track: Track, policy: Policy, now: Moment) -> Reply:
    consent = {"consentFetchType": "ONETIME", "vua": track.vua}
    content = {"loanApplicationIds": [track.application_id], "consent": consent}
    track = replace(track, stage=Stage.CONSENT, consent_rounds=track.consent_rounds + 1)
    return _ask(track, "ConsentHandle", content, policy, now)


def _ask_later(
    track: Track, exchange: str, content: Mapping[str, Any], at: datetime, clock: TimerClock = TimerClock.BUSINESS
) -> Reply:
    data = {"track": track.id, "exchange": exchange, "content": dict(content)}
    return Reply(
        records=[track_record(track)],
        timers=[Timer(f"ask again {track.id}", "ask again", at, data, clock)],
        cancelled=[_missing_id(track)],
    )


def _missing_id(track: Track) -> str:
    return f"callback of {track.id}"


def _answered(track: Track) -> Track:
    """Return the track when the callback that it waited for is here."""
    return replace(track, request_id="", errors=0, is_repeated=False)


def _poll(track: Track, outcome: str, records: Records, policy: Policy, now: Moment) -> Reply:
    """Ask the same status again after a while, unless it is time to give up."""
    at = now.business + policy.poll
    if track.give_up_at is not None and at > track.give_up_at:
        return _finished(replace(track, stage=Stage.ENDED, outcome=outcome), records, now)
    return _ask_later(track, track.exchange, track.content, at)


def _after_error(track: Track, error: str, records: Records, policy: Policy, now: Moment) -> Reply:
    """Ask again what the lender could not do, so often as the policy says."""
    if error == Problem.NOT_ALLOWED_NOW.code or track.errors >= policy.error_rounds:
        outcome = f"the lender answers {track.exchange} with error {error}"
        return _finished(replace(track, stage=Stage.STOPPED, outcome=outcome), records, now)
    track = replace(_answered(track), errors=track.errors + 1)
    at = now.protocol + policy.error_wait
    return _ask_later(track, track.exchange, track.content, at, TimerClock.PROTOCOL)


def _application_of(track: Track, content: Any) -> Any:
    """Return what a callback says of the track's application; None if it says nothing of it."""
    for application in content.loan_applications:
        if application.loan_application_id == track.application_id:
            return application
    return None


def _rejection(application: Any) -> str:
    return f"rejected: {'; '.join(detail.description for detail in application.rejection_details)}"


def _closing_auction(track: Track, records: Records, policy: Policy, now: Moment) -> Reply:
    """With the first offer, set the time at which the borrower chooses though others may not have answered."""
    others = [other for other in tracks_of(records, journey_of(records, track.journey)) if other.id != track.id]
    if any(other.offers for other in others) or all(other.stage.is_final for other in others):
        return Reply()
    at, data = now.protocol + policy.auction_close, {"journey": track.journey}
    return Reply(timers=[Timer(f"auction of {track.journey}", "auction close", at, data, TimerClock.PROTOCOL)])


def _finished(track: Track, records: Records, now: Moment) -> Reply:
    """Keep a track that asks nothing more; the borrower chooses once all have come so far."""
    track = replace(_answered(track), content={})
    kept = Reply(records=[track_record(track)], cancelled=[_missing_id(track)])
    journey = journey_of(records, track.journey)
    others = [other for other in tracks_of(records, journey) if other.id != track.id]
    if all(other.stage.is_final for other in others):
        return all_of([kept, _choose(journey, records, {track.id: track})])
    return kept


def _choose(journey: Journey, records: Records, changed: Mapping[str, Track]) -> Reply:
    if journey.is_closed:
        return Reply()
    tracks = [changed.get(track.id, track) for track in tracks_of(records, journey)]
    offers = [offer for track in tracks for offer in track.offers]
    journey = replace(journey, is_closed=True, chosen=choose(offers, journey.preference))
    return Reply(records=[journey_record(journey)], cancelled=[f"auction of {journey.id}"])
