"""The lender's composition: which rule answers which message."""

import contextlib
import os
import secrets
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

from lender_app.application_journey import CreateApplications
from lender_app.journey import TriggerAcceptance, VerifyAcceptance
from lender_app.policy import AcceptancePolicy, LendingPolicy
from lender_app.speech.v3 import SpeechOfV3
from lender_app.speech.v4 import SpeechOfV4
from shared.catalogue.bodies.otp import OTP_DIGITS
from shared.catalogue.table import get_message
from shared.node.ids import new_id
from shared.node.journeys import Rule
from shared.node.node import Application
from shared.node.settings import NodeSettings, SettingsError
from shared.protocol.messages import MessageType, Role


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
    secret = _secret(settings.otp_secret_file)
    return Application(role=Role.LENDER, rules=_rules_of_v3(secret) | _rules_of_v4(secret))


def _rules_of_v3(secret: bytes) -> dict[MessageType, Rule]:
    speech, of = SpeechOfV3(), partial(get_message, "v3")
    return {
        of("TriggerLoanAcceptanceRequest"): TriggerAcceptance(speech, AcceptancePolicy(), secret, draw_otp, new_id),
        of("VerifyLoanAcceptanceRequest"): VerifyAcceptance(speech, AcceptancePolicy(), secret),
    }


def _rules_of_v4(secret: bytes) -> dict[MessageType, Rule]:
    speech, of = SpeechOfV4(), partial(get_message, "v4")
    return {
        of("CreateLoanApplicationsRequest"): CreateApplications(speech, LendingPolicy()),
        of("TriggerLoanAcceptanceRequest"): TriggerAcceptance(speech, AcceptancePolicy(), secret, draw_otp, new_id),
        of("VerifyLoanAcceptanceRequest"): VerifyAcceptance(speech, AcceptancePolicy(), secret),
    }


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
