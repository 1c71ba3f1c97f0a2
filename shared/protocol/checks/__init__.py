"""The tables: which checks a request and an ack of each profile have to pass, and in which order.

Cheap before costly, and nothing that a stranger can trigger before the party is known: the source address is judged
before any signature work, the payload is read only after its signature holds.
"""

from shared.protocol.checks.ack import ack_has_its_members, ack_names_our_trace_id
from shared.protocol.checks.bearer import (
    bearer_token_is_given,
    certificate_is_the_token_holders,
    token_has_its_claims,
    token_holder_takes_part,
    token_is_a_signed_jwt,
    token_is_for_this_connection,
    token_is_in_force,
    token_is_of_our_auth_service,
    token_key_is_the_auth_services,
    token_party_is_its_holder,
    token_signature_verifies,
)
from shared.protocol.checks.detached import (
    b64_and_crit_are_right,
    detached_header_is_a_json_object,
    detached_header_members_are_allowed,
    form_is_one_that_the_peer_may_use,
    kid_selects_a_registered_key,
    signature_header_is_given_once,
    signature_is_detached,
)
from shared.protocol.checks.journal import nonce_is_new, request_id_is_new_or_repeats_its_content
from shared.protocol.checks.opening import (
    algorithm_is_the_agreed_one,
    body_is_a_json_object,
    body_is_within_size,
    envelope_is_flattened,
    header_is_a_json_object,
    header_members_are_allowed,
    kid_is_given,
    media_type_is_json,
    method_is_allowed,
    one_signed_header,
    parts_are_canonical_base64url,
    parts_are_strings,
    path_is_known,
)
from shared.protocol.checks.originator import (
    both_are_in_the_product_network,
    originator_is_the_token_holder,
    originator_metadata_is_complete,
)
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
from shared.protocol.checks.signature import (
    certificate_is_registered,
    kid_selects_a_key_that_counts,
    signature_verifies,
    source_address_is_listed,
)

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

DETACHED_CHECKS = (
    signature_header_is_given_once,
    signature_is_detached,
    detached_header_is_a_json_object,
    detached_header_members_are_allowed,
    algorithm_is_the_agreed_one,
    b64_and_crit_are_right,
)

V4_HEAD_CHECKS = (path_is_known, method_is_allowed, media_type_is_json, bearer_token_is_given, *DETACHED_CHECKS)
"""What the HTTP head alone tells: a malformed header is refused before the body is read (OCEN 4.0 signing)."""

V4_OPENING_CHECKS = (body_is_within_size,)

V4_TOKEN_CHECKS = (
    token_is_a_signed_jwt,
    token_key_is_the_auth_services,
    token_signature_verifies,
    token_has_its_claims,
    token_is_of_our_auth_service,
    token_is_in_force,
    token_is_for_this_connection,
)
"""The token's signature before its claims (OCEN 4.0 access token, steps 2 and 3)."""

V4_VERDICT_CHECKS = (
    token_holder_takes_part,
    token_party_is_its_holder,
    certificate_is_the_token_holders,
    source_address_is_listed,
    kid_selects_a_registered_key,
    form_is_one_that_the_peer_may_use,
    signature_verifies,
    payload_is_a_json_object,
    originator_metadata_is_complete,
    originator_is_the_token_holder,
    sender_has_the_role,
    timestamp_is_rfc3339,
    timestamp_is_fresh,
    request_id_is_usable,
    content_fits_the_message,
    both_are_in_the_product_network,
)

V4_REQUEST_CHECKS = V4_HEAD_CHECKS + V4_OPENING_CHECKS + V4_TOKEN_CHECKS + V4_VERDICT_CHECKS + JOURNAL_CHECKS

V4_ACK_OPENING_CHECKS = DETACHED_CHECKS

V4_ACK_VERDICT_CHECKS = (
    certificate_is_the_token_holders,
    kid_selects_a_registered_key,
    form_is_one_that_the_peer_may_use,
    signature_verifies,
    payload_is_a_json_object,
    ack_has_its_members,
    ack_names_our_trace_id,
)

V4_ACK_CHECKS = V4_ACK_OPENING_CHECKS + V4_ACK_VERDICT_CHECKS
