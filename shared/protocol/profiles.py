"""The profiles by name, which is also the `version` of their messages: OCEN v3 and OCEN 4.0.

In v3 ("BHIM for lending") a flattened JWS is the body, RS512. In 4.0 (OCEN 4.0 Security) the body is plain; its
detached JWS and a bearer token stand in HTTP headers, RS256.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from shared.protocol import checks
from shared.protocol.detached import DetachedProfile, OpenedCall
from shared.protocol.envelope import EnvelopeProfile, OpenedEnvelope
from shared.protocol.phases import SignatureVariant
from shared.protocol.profile import HolderOf, Judged, Originator, Profile, SignedBody

__all__ = ["PROFILES", "V3", "V4", "HolderOf", "Judged", "Originator", "Profile", "SignatureVariant", "SignedBody"]

V3 = EnvelopeProfile(
    name="v3",
    mount="/v3",
    opened=OpenedEnvelope,
    metadata_version="1.0",
    ack_timeout=timedelta(seconds=4),
    sender_member="orgId",
    head_checks=(),
    opening_checks=checks.OPENING_CHECKS,
    token_checks=(),
    verdict_checks=checks.VERDICT_CHECKS,
    journal_checks=checks.JOURNAL_CHECKS,
    ack_opening_checks=checks.ACK_OPENING_CHECKS,
    ack_verdict_checks=checks.ACK_VERDICT_CHECKS,
)

V4 = DetachedProfile(
    name="v4",
    mount="/v4.0.0alpha",
    opened=OpenedCall,
    metadata_version="4.0.0alpha",
    ack_timeout=timedelta(seconds=10),
    sender_member="originatorParticipantId",
    head_checks=checks.V4_HEAD_CHECKS,
    opening_checks=checks.V4_OPENING_CHECKS,
    token_checks=checks.V4_TOKEN_CHECKS,
    verdict_checks=checks.V4_VERDICT_CHECKS,
    journal_checks=checks.JOURNAL_CHECKS,
    ack_opening_checks=checks.V4_ACK_OPENING_CHECKS,
    ack_verdict_checks=checks.V4_ACK_VERDICT_CHECKS,
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (V3, V4)})
