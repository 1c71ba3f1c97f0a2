"""The fields of the onboarding form, one by one: what each may hold, and what to do where it holds something else."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pydantic import TypeAdapter, ValidationError

from shared.node.onboarding.record import LONGEST_LINE, MOST_ADDRESSES, BaseUrl, OnboardingError

FREE_MAIL: Final = re.compile(
    r"(gmail|googlemail|yahoo|ymail|rocketmail|hotmail|outlook|live|msn|icloud|me|mac|aol|rediff|rediffmail|proton"
    r"|protonmail|gmx|yandex|mail|zohomail|tutanota)\.(com?\.)?[a-z]{2,4}"
)
"""Domains where anybody has an address, no organisation's (OCEN v3 Security, "has to be organisation email ID")."""

_EMAIL: Final = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24})"
)
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()-]{6,24}")
_PRIVATE: Final = re.compile(r"PRIVATE KEY-----|\"(d|p|q|dp|dq|qi)\"\s*:")
_MOUNT: Final = re.compile(r"v\d+(\.\d+)*[a-z]*", re.IGNORECASE)

_LONGEST_QUOTE: Final = 80

_TEXT_HINTS: Final = {
    "organisation_id": "give 1 to 64 letters, digits, dots, dashes or underscores, as in metadata.orgId",
    "name": "give one line of 1 to 200 characters",
    "base_url": "give one such as https://bank.example/credit",
}


class FieldError(NamedTuple):
    """One thing that is wrong with a form: the field, what was found there, and what to do."""

    field: str
    found: str
    hint: str

    def __str__(self) -> str:
        return f"{self.field}: {self.found}: {self.hint}"


class FormError(OnboardingError):
    """A form that cannot be taken: everything that is wrong with it, field by field."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = tuple(errors)


@contextmanager
def collected_errors() -> Iterator[list[FieldError]]:
    """Collect what is wrong with a form.

    Raises:
        FormError: something is, at the end.
    """
    errors: list[FieldError] = []
    yield errors
    if errors:
        raise FormError(errors)


def holds_private_key(text: str) -> bool:
    """Tell whether somebody has put a private key there, in PEM or as JWK."""
    return _PRIVATE.search(text) is not None


def shown(text: str) -> str:
    """Quote what was found, but not all of a long text, and nothing of a private key."""
    if holds_private_key(text):
        return "a private key, which is nobody else's business,"
    return repr(text[:_LONGEST_QUOTE]) if text.strip() else "empty"


def checked_text(field: str, text: str, kind: Any, errors: list[FieldError]) -> str:
    """Return a text that has to be of a kind of text; what it is otherwise is an error."""
    try:
        return str(TypeAdapter(kind).validate_python(text.strip()))
    except ValidationError:
        found = f"{shown(text)} is not one" if text.strip() else "empty"
        errors.append(FieldError(field, found, _TEXT_HINTS[field]))
        return ""


def checked_base_url(text: str, errors: list[FieldError]) -> str:
    """Return the base URL; of a message's full URL the part before `/v3` or another version (OCEN v3 Security)."""
    text = text.strip()
    try:
        url = urlsplit(text)
        usable = bool(url.hostname) and url.port != 0
    except ValueError:
        url, usable = SplitResult("", "", "", "", ""), False
    if url.scheme == "http":
        errors.append(FieldError("base_url", f"{shown(text)} is not encrypted", "give one that begins with https://"))
        return ""
    if not usable or url.scheme != "https" or url.query or url.fragment or url.username is not None:
        found = f"{shown(text)} is no base URL" if text else "empty"
        errors.append(FieldError("base_url", found, "give one such as https://bank.example/credit, no user, ? or #"))
        return ""
    segments = url.path.split("/")
    cut = next((number for number, segment in enumerate(segments) if _MOUNT.fullmatch(segment)), len(segments))
    base = f"https://{url.netloc}{'/'.join(segments[:cut])}".rstrip("/")
    return checked_text("base_url", base, BaseUrl, errors)


def checked_email(text: str, errors: list[FieldError]) -> str:
    """Return an e-mail address at an organisation's own domain."""
    found = _EMAIL.fullmatch(text.strip())
    if found is None:
        what = f"{shown(text)} is no e-mail address" if text.strip() else "empty"
        errors.append(FieldError("spoc_email", what, "give the address of a person such as ocen@bank.example"))
        return ""
    if len(found[0]) > LONGEST_LINE:
        hint = f"give an address of {LONGEST_LINE} at most"
        errors.append(FieldError("spoc_email", f"{len(found[0])} characters", hint))
        return ""
    if FREE_MAIL.fullmatch(found[1].lower()):
        hint = "give one at your organisation's domain"
        errors.append(FieldError("spoc_email", f"{found[1]} gives addresses to anybody", hint))
        return ""
    return found[0]


def checked_phone(text: str, errors: list[FieldError]) -> str:
    """Return a telephone number of 8 to 15 digits (ITU-T E.164)."""
    text = text.strip()
    if not _PHONE.fullmatch(text) or not 8 <= sum(character.isdigit() for character in text) <= 15:
        found = f"{shown(text)} is no telephone number" if text else "empty"
        hint = "give 8 to 15 digits with the country code, such as +91 22 5550 0100"
        errors.append(FieldError("spoc_phone", found, hint))
    return text


def checked_addresses(addresses: Sequence[str], errors: list[FieldError]) -> list[str]:
    """Return one to three addresses or networks (OCEN v3 Security, "multiple addresses (max 3)")."""
    if not 1 <= len(addresses) <= MOST_ADDRESSES:
        found = f"{len(addresses)} addresses" if addresses else "none"
        hint = f"give 1 to {MOST_ADDRESSES}; write more as networks, 10.0.0.0/28"
        errors.append(FieldError("ip_addresses", found, hint))
    checked = []
    for address in addresses:
        try:
            network = ip_network(address.strip())
        except ValueError:
            found = f"{shown(address)} is no address or network"
            hint = "give addresses such as 10.0.0.5 or networks such as 10.0.0.0/28"
            errors.append(FieldError("ip_addresses", found, hint))
            continue
        if network.prefixlen == 0:
            errors.append(FieldError("ip_addresses", f"{network} is every address", "give those that you call from"))
        checked.append(str(network[0]) if network.num_addresses == 1 else str(network))
    return checked
