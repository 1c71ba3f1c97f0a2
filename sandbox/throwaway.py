"""A throw-away pair: keys, settings and databases in a folder of its own, on free ports.

For the benchmark, and for tests that need real processes.
"""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sandbox.pki import Organisation, initialise
from shared.protocol.participants import ParticipantRole

_ORGANISATIONS = {
    "lender": ("LENDER01", "Sandbox Lender", ParticipantRole.LENDER),
    "lsp": ("LSP123", "Sandbox LSP", ParticipantRole.LOAN_AGENT),
}


def throwaway_environments(folder: Path, database_urls: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Make keys and settings in `folder`; return the environment for each side, `lender` and `lsp`.

    `database_urls` may name a database for a side; otherwise it is a SQLite file in the folder.
    """
    ports = free_ports(2 * len(_ORGANISATIONS))
    planes = {side: (ports.pop(), ports.pop()) for side in _ORGANISATIONS}
    organisations = [
        Organisation(organisation_id, name, role, f"https://localhost:{planes[side][0]}")
        for side, (organisation_id, name, role) in _ORGANISATIONS.items()
    ]
    pki = initialise(folder / "certs", organisations, (), datetime.now(UTC))
    token = folder / "ops-token"
    token.write_text("a-token-for-a-throw-away-pair")
    return {
        side: {
            "OCEN_IDENTITY": str(pki.identities[organisation_id]),
            "OCEN_PARTICIPANTS": str(pki.participants),
            "OCEN_DATABASE_URL": database_urls.get(side, f"sqlite:///{folder / side}.db"),
            "OCEN_PORT": str(planes[side][0]),
            "OCEN_OPS_PORT": str(planes[side][1]),
            "OCEN_OPS_TOKEN_FILE": str(token),
            "OCEN_OTP_SECRET_FILE": str(folder / "otp-secret"),
        }
        for side, (organisation_id, _, _) in _ORGANISATIONS.items()
    }


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
