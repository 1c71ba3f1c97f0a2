"""The lender's composition: which rule answers which message."""

import contextlib
import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile

from lender_app.journey import consent, lender, loan_acceptance, loan_application, offers
from lender_app.policy import Policy
from shared.catalogue.bodies.otp import OTP_DIGITS
from shared.node.node import Application
from shared.node.settings import NodeSettings, SettingsError
from shared.protocol.messages import Role

STAGES = (loan_application, consent, offers, loan_acceptance)
"""The modules that have given their rules to `lender`."""


class LenderSettings(NodeSettings):
    """Settings of a lender: those of every node, and the file of the secret that OTPs are hashed with.

    The file is made if it is not there. Several processes of one lender share it.
    """

    otp_secret_file: Path


def application(settings: LenderSettings) -> Application:
    """Compose the lender.

    Raises:
        SettingsError: the secret cannot be read or made.
    """
    policy = Policy(secret=_secret(settings.otp_secret_file), draw_otp=draw_otp)
    return Application(role=Role.LENDER, rules=lender.with_policy(policy))


def draw_otp() -> str:
    """Draw an OTP that nobody can foresee."""
    return f"{secrets.randbelow(10**OTP_DIGITS):0{OTP_DIGITS}d}"


def _secret(file: Path) -> bytes:
    try:
        if not file.exists():
            _make_secret(file)
        secret = file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"OCEN_OTP_SECRET_FILE: {file}: {error.strerror}; name a file in a writable folder"
        ) from error
    if len(secret) < 32:
        raise SettingsError(f"OCEN_OTP_SECRET_FILE: {file} holds fewer than 32 bytes; delete it to have a new one")
    return secret


def _make_secret(file: Path) -> None:
    # Written aside and then linked, so that another process of this lender never reads half of it.
    with NamedTemporaryFile(dir=file.parent) as made:
        made.write(secrets.token_bytes(32))
        made.flush()
        with contextlib.suppress(FileExistsError):
            os.link(made.name, file)
