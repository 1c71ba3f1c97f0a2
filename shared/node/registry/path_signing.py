"""Signing requests without a body, for registries that demand it (OCEN 4.0 signing, "endpoint URI"; P27)."""

import re
from collections.abc import Mapping
from typing import Final

from shared.node.identity import Identity
from shared.node.settings import PathSigning
from shared.protocol.detached import seal_detached
from shared.protocol.participants import Dialect
from shared.protocol.profiles import V4

_VERSION: Final = re.compile(r"^/v\d[A-Za-z0-9.]*(?=/)")


class PathSigner:
    """Signs the path of a request as the body of a message is signed, with the key of now."""

    def __init__(self, identity: Identity, how: PathSigning) -> None:
        """Sign for `identity`; `how` says whether a version at the beginning of a path is signed with it."""
        self._identity = identity
        self._how = how

    def __call__(self, path: str) -> Mapping[str, str]:
        """Return the headers that sign a request to this path, which is given as it is sent."""
        signed = _VERSION.sub("", path) if self._how is PathSigning.PATH_WITHOUT_VERSION else path
        return seal_detached(signed.encode("ascii"), self._identity.signing_key.bound_to(V4.algorithm), Dialect.STRICT)
