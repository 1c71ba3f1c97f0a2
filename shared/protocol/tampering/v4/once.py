"""Captured calls: a v4 signature binds neither path nor receiver nor token, so only their nonce tells (G1, G2, G3)."""

from dataclasses import replace

from shared.protocol.checks.journal import nonce_is_new, request_id_is_new_or_repeats_its_content
from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.table import Rows
from shared.protocol.tampering.v4.good import GoodCall

rows = Rows[GoodCall]()


@rows.caught_by(nonce_is_new, after_the_good_one=True)
def replayed_at_another_path(good: GoodCall) -> OutgoingMessage:
    """The good call is sent again, byte for byte, to the path of another message that it fits as well."""
    return replace(good.send(), path=good.twin_path)


@rows.caught_by(nonce_is_new, after_the_good_one=True)
def replayed_under_another_header(good: GoodCall) -> OutgoingMessage:
    """The good call is sent again with its signature in x-jws-signature."""
    message = good.with_header(SIGNATURE_HEADER, None)
    return replace(message, headers={**message.headers, STARTER_HEADER: good.sign()})


@rows.caught_by(nonce_is_new, after_the_good_one=True)
def replayed_with_another_token(good: GoodCall) -> OutgoingMessage:
    """The good call is sent again under a newer token of the sender."""
    return good.send_claims(iat=int(good.now.timestamp()) + 1)


@rows.caught_by(nonce_is_new, after_the_good_one=True)
def replayed_in_the_other_form(good: GoodCall) -> OutgoingMessage:
    """The good body is sent again, rightly signed in the other form."""
    return replace(good, is_unencoded=not good.is_unencoded).send()


@rows.caught_by(request_id_is_new_or_repeats_its_content, after_the_good_one=True)
def request_id_at_a_path_that_it_fits(good: GoodCall) -> OutgoingMessage:
    """The good body, freshly stamped and signed, goes to the path of another message that it fits as well."""
    return replace(good.send_document(good.restamped(good.document)), path=good.twin_path)
