"""The profiles by name, which is also the `version` of their messages."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.protocol.phases import Style
from shared.protocol.profiles.base import Dressed, HolderOf, Judged, Originator, Profile
from shared.protocol.profiles.v3 import V3
from shared.protocol.profiles.v4 import V4

__all__ = ["PROFILES", "V3", "V4", "Dressed", "HolderOf", "Judged", "Originator", "Profile", "Style"]

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (V3, V4)})
