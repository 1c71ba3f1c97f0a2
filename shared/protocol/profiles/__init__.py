"""The profiles by name, which is also the `version` of their messages."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.protocol.profiles.base import Profile
from shared.protocol.profiles.dressed import Claimed, Dressed, Originator, Style
from shared.protocol.profiles.v3 import V3
from shared.protocol.profiles.v4 import V4

__all__ = ["PROFILES", "V3", "V4", "Claimed", "Dressed", "Originator", "Profile", "Style"]

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (V3, V4)})
