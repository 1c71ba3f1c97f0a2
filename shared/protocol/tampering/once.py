"""Messages out of time, and messages that come a second time: each may be used once, and only while it is fresh.

A signature of OCEN 4.0 binds neither path nor receiver nor token, so only the nonce tells a captured call (P28, P29).
"""

from dataclasses import replace
from datetime import timedelta

from shared.protocol.checks.journal import nonce_is_new, request_id_is_new_or_repeats_its_content
from shared.protocol.checks.payload import timestamp_is_fresh, timestamp_is_rfc3339
from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER
from shared.protocol.encoding import format_timestamp
from shared.protocol.problems import Problem
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.table import Rows

rows = Rows[Good]()
v4_rows = Rows[GoodCall]()

NO_TIMESTAMPS = {
    "a word": "yesterday",
    "a date": "2031-03-04",
    "a time without an offset": "2031-03-04T05:06:07.890",
    "seconds since 1970": "1930367167",
    "the 30th of February": "2031-02-30T05:06:07.890Z",
    "a quarter past 24 o'clock": "2031-03-04T24:15:00.000Z",
    "a time with a space for its T": "2031-03-04 05:06:07.890Z",
}

DELAY = timedelta(seconds=30)
"""By how much a future timestamp lies too far ahead, so that it still does when the message arrives."""


@rows.each_caught_by(*NO_TIMESTAMPS, both=timestamp_is_rfc3339, problem=Problem.VALUE, requirement="OCEN-RPL-05")
def timestamp_is(good: Good, case: str) -> OutgoingMessage:
    """The timestamp is {}."""
    return good.send_document(good.with_metadata(timestamp=NO_TIMESTAMPS[case]))


@rows.caught_by(both=timestamp_is_fresh, requirement="OCEN-RPL-03")
def timestamp_stale(good: Good) -> OutgoingMessage:
    """The timestamp lies a second further back than allowed."""
    return _stamped(good, -good.window.past - timedelta(seconds=1))


@rows.caught_by(both=timestamp_is_fresh, requirement="OCEN-RPL-03")
def timestamp_of_yesterday(good: Good) -> OutgoingMessage:
    """The timestamp is a day old."""
    return _stamped(good, timedelta(days=-1))


@rows.caught_by(both=timestamp_is_fresh, requirement="OCEN-RPL-03")
def timestamp_ahead(good: Good) -> OutgoingMessage:
    """The timestamp lies half a minute further ahead than allowed."""
    return _stamped(good, good.window.future + DELAY)


@rows.caught_by(both=timestamp_is_fresh, requirement="OCEN-RPL-03")
def timestamp_of_tomorrow(good: Good) -> OutgoingMessage:
    """The timestamp lies a day ahead."""
    return _stamped(good, timedelta(days=1))


@rows.caught_by(both=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-01")
def replayed(good: Good) -> OutgoingMessage:
    """The good message is sent again, byte for byte."""
    return good.send()


@rows.caught_by(both=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-01")
def nonce_used_again(good: Good) -> OutgoingMessage:
    """Other content is sent, rightly signed, with the traceId and timestamp of the good message."""
    return good.send_document(good.with_request_id(_next(good.request_id)))


@rows.caught_by(both=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-06")
def nonce_used_at_another_path(good: Good) -> OutgoingMessage:
    """Another message is sent to its own path with the traceId and timestamp of the good one."""
    there = good.moved()
    return there.send_document(there.with_request_id(_next(good.request_id)))


@rows.caught_by(
    both=request_id_is_new_or_repeats_its_content,
    after_the_good_one=True,
    requirement="OCEN-IDM-02",
)
def request_id_with_other_content(good: Good) -> OutgoingMessage:
    """The requestId of the good message comes again with other content, freshly stamped."""
    return good.send_document(good.restamped({**good.document, "note": "other content"}))


@rows.caught_by(
    both=request_id_is_new_or_repeats_its_content,
    after_the_good_one=True,
    requirement="OCEN-RPL-06",
)
def request_id_at_another_path(good: Good) -> OutgoingMessage:
    """The requestId of the good message comes again with another message at its own path, freshly stamped."""
    there = good.moved()
    return there.send_document(there.restamped(there.with_request_id(good.request_id)))


@v4_rows.caught_by(v4=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-06")
def replayed_at_another_path(good: GoodCall) -> OutgoingMessage:
    """The good call is sent again, byte for byte, to the path of another message that it fits as well."""
    return replace(good.send(), path=good.twin_path)


@v4_rows.caught_by(v4=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-01")
def replayed_under_another_header(good: GoodCall) -> OutgoingMessage:
    """The good call is sent again with its signature in x-jws-signature."""
    message = good.with_header(SIGNATURE_HEADER, None)
    return replace(message, headers={**message.headers, STARTER_HEADER: good.sign()})


@v4_rows.caught_by(v4=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-01")
def replayed_with_another_token(good: GoodCall) -> OutgoingMessage:
    """The good call is sent again under a newer token of the sender."""
    return good.send_claims(iat=int(good.now.timestamp()) + 1)


@v4_rows.caught_by(v4=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-01")
def replayed_in_the_other_form(good: GoodCall) -> OutgoingMessage:
    """The good body is sent again, rightly signed in the other form."""
    return replace(good, is_unencoded=not good.is_unencoded).send()


@v4_rows.caught_by(v4=request_id_is_new_or_repeats_its_content, after_the_good_one=True, requirement="OCEN-RPL-06")
def request_id_at_a_path_that_it_fits(good: GoodCall) -> OutgoingMessage:
    """The good body, freshly stamped and signed, goes to the path of another message that it fits as well."""
    return replace(good.send_document(good.restamped(good.document)), path=good.twin_path)


def _stamped(good: Good, offset: timedelta) -> OutgoingMessage:
    return good.send_document(good.with_metadata(timestamp=format_timestamp(good.now + offset)))


def _next(identifier: str) -> str:
    return identifier[:-1] + ("1" if identifier.endswith("0") else "0")
