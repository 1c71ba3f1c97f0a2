"""Good tokens of parties that take no part, or in the hands of somebody else."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.protocol.checks.bearer import (
    certificate_is_the_token_holders,
    token_holder_takes_part,
    token_is_for_this_connection,
    token_party_is_its_holder,
)
from shared.protocol.encoding import base64url_encode
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.table import Rows

rows = Rows[GoodCall]()

NO_PARTICIPANTS: Mapping[str, Callable[[str], str]] = {
    "nobody": lambda _: "no-such-participant",
    "the sender's followed by a space": lambda own: f"{own} ",
    "the sender's in other case": str.swapcase,
    "a path to the sender's": lambda own: f"../service/{own}",
    "a pattern": lambda _: "%",
}

ODD_PARTIES: Mapping[str, Callable[[GoodCall], Any]] = {
    "the client of another participant": lambda good: good.other.claims["azp"],
    "an empty text": lambda _: "",
    "a list with the right client": lambda good: [good.claims["azp"]],
}


BINDINGS: Mapping[str, Callable[[str], Any]] = {
    "another participant's certificate": lambda thumbprint: {"x5t#S256": thumbprint},
    "a key of which no proof is given": lambda thumbprint: {"jkt": thumbprint},
    "nothing": lambda _: {},
    "a text": lambda thumbprint: thumbprint,
}


@rows.each_caught_by(*BINDINGS, v4=token_is_for_this_connection)
def token_bound_to(good: GoodCall, case: str) -> OutgoingMessage:
    """The token has a cnf that binds it to {}."""
    thumbprint = base64url_encode(bytes.fromhex(good.other.certificate))
    return good.send_claims(cnf=BINDINGS[case](thumbprint))


@rows.each_caught_by(*NO_PARTICIPANTS, v4=token_holder_takes_part, requirement="OCEN-TOK-05")
def participant_id_is(good: GoodCall, case: str) -> OutgoingMessage:
    """The token's participantId is {}."""
    return good.send_claims(participantId=NO_PARTICIPANTS[case](str(good.claims["participantId"])))


@rows.each_caught_by(*ODD_PARTIES, v4=token_party_is_its_holder, requirement="OCEN-TOK-05")
def authorized_party_is(good: GoodCall, case: str) -> OutgoingMessage:
    """The token's azp is {}."""
    return good.send_claims(azp=ODD_PARTIES[case](good))


@rows.caught_by(v4=certificate_is_the_token_holders, requirement="OCEN-TOK-05")
def token_of_another_participant(good: GoodCall) -> OutgoingMessage:
    """Connection, signature and metadata are the sender's, the token is another participant's."""
    return good.send_token(good.token(good.other.claims))
