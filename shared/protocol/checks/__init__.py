"""The tables: which checks a v3 request and a v3 ack have to pass, and in which order.

Cheap before costly, and nothing that a stranger can trigger before the party is known: the source address is judged
before any signature work, the payload is read only after its signature holds.
"""

from shared.protocol.checks.ack import ack_has_its_members, ack_names_our_trace_id
from shared.protocol.checks.connection import (
    body_is_within_size,
    certificate_is_registered,
    media_type_is_json,
    method_is_allowed,
    path_is_known,
    source_address_is_listed,
)
from shared.protocol.checks.envelope import (
    algorithm_is_the_agreed_one,
    body_is_a_json_object,
    envelope_is_flattened,
    header_is_a_json_object,
    header_members_are_allowed,
    kid_is_given,
    one_signed_header,
    parts_are_canonical_base64url,
    parts_are_strings,
)
from shared.protocol.checks.journal import nonce_is_new, request_id_is_new_or_repeats_its_content
from shared.protocol.checks.payload import (
    content_fits_the_message,
    metadata_is_complete,
    payload_is_a_json_object,
    request_id_is_usable,
    sender_has_the_role,
    sender_is_the_key_holder,
    timestamp_is_fresh,
    timestamp_is_rfc3339,
)
from shared.protocol.checks.signature import kid_selects_a_key_that_counts, signature_verifies

CONNECTION_CHECKS = (path_is_known, method_is_allowed, media_type_is_json, body_is_within_size)

ENVELOPE_CHECKS = (
    body_is_a_json_object,
    envelope_is_flattened,
    one_signed_header,
    parts_are_strings,
    parts_are_canonical_base64url,
    header_is_a_json_object,
    header_members_are_allowed,
    algorithm_is_the_agreed_one,
    kid_is_given,
)

IDENTITY_CHECKS = (
    kid_selects_a_key_that_counts,
    certificate_is_registered,
    source_address_is_listed,
    signature_verifies,
)

CONTENT_CHECKS = (
    payload_is_a_json_object,
    metadata_is_complete,
    sender_is_the_key_holder,
    sender_has_the_role,
    timestamp_is_rfc3339,
    timestamp_is_fresh,
    request_id_is_usable,
    content_fits_the_message,
)

JOURNAL_CHECKS = (nonce_is_new, request_id_is_new_or_repeats_its_content)
"""Judged inside the transaction that accepts the message, because only there can nobody come between."""

OPENING_CHECKS = CONNECTION_CHECKS + ENVELOPE_CHECKS
"""What can be judged before it is known whose key the message names."""

VERDICT_CHECKS = IDENTITY_CHECKS + CONTENT_CHECKS

REQUEST_CHECKS = OPENING_CHECKS + VERDICT_CHECKS + JOURNAL_CHECKS

ACK_OPENING_CHECKS = ENVELOPE_CHECKS

ACK_VERDICT_CHECKS = (
    kid_selects_a_key_that_counts,
    certificate_is_registered,
    signature_verifies,
    payload_is_a_json_object,
    ack_has_its_members,
    ack_names_our_trace_id,
)

ACK_CHECKS = ACK_OPENING_CHECKS + ACK_VERDICT_CHECKS
