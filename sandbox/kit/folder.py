"""Make the kit's folder, under another name at first, so that it is there as a whole or not at all."""

import json
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from sandbox.content import TRIGGER
from sandbox.errors import SandboxError
from sandbox.forms import save_form
from sandbox.pki.certificates import Authority, leaf_certificate, public_pem
from sandbox.pki.organisation import Organisation, contact_of, kept_or_new_key
from shared.catalogue.table import example_of, get_message
from shared.node.onboarding.form import OnboardingForm
from shared.node.onboarding.record import leaf_of
from shared.protocol.messages import Role

FILES: Final = Path(__file__).parent / "files"
SCRIPTS: Final = ("sign.sh", "send-message.sh", "listener.py")
PASSWORDS: Final = "passwords-not-for-production.txt"


def make_kit(
    folder: Path,
    organisation: Organisation,
    *,
    authority: Authority,
    ours: OnboardingForm,
    onboard: Callable[[OnboardingForm], object],
    now: datetime,
) -> OnboardingForm:
    """Make the kit of an organisation, have it onboarded, and only then put the folder in its place; return its form.

    Args:
        authority: issues its TLS certificate, valid from `now` (aware) on.
        ours: the form of the node that it will talk to.
        onboard: hands its form to that node; what it raises leaves no folder behind.

    Raises:
        SandboxError: the folder is not empty, or is a link, or was filled in the meantime.
        PkiError: something told of the organisation is wrong.
        OSError: the folder cannot be written.
    """
    hosts = organisation.hosts()
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise SandboxError(f"{folder} is there already: name a new or empty folder with --out")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        form = _keys_and_form(draft, organisation, authority, hosts, now)
        save_form(ours, draft / "counterparty" / "form.yaml", f"{ours.organisation_id}-")
        (draft / "counterparty" / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
        _keystores(draft, form, ours, authority.certificate)
        _first_steps(draft, form, ours, organisation.role)
        (draft / ".gitignore").write_text("*\n", "utf-8")  # private keys: a kit inside a repository stays out of it
        onboard(form)
    except BaseException:
        shutil.rmtree(draft)
        raise
    _put_in_place(draft, folder)
    return form


def _put_in_place(draft: Path, folder: Path) -> None:
    """Give the kit its name; where that fails it stays, for its keys are known to the node by now."""
    try:
        with suppress(FileNotFoundError):
            folder.rmdir()
        draft.rename(folder)
    except OSError as error:
        found = f"{folder} cannot be made ({error.strerror})"
        raise SandboxError(f"{found}: its organisation is onboarded, and the kit is in {draft}: move it") from error


def _keys_and_form(
    folder: Path, organisation: Organisation, authority: Authority, hosts: list[str], now: datetime
) -> OnboardingForm:
    keys = {name: kept_or_new_key(folder / f"{name}.key").public_key() for name in ("signing", "backup", "tls")}
    leaf = leaf_certificate(authority, organisation.organisation_id, keys["tls"], hosts, now)
    email, phone = contact_of(organisation.organisation_id)
    form = OnboardingForm(
        organisation_id=organisation.organisation_id,
        name=organisation.name,
        role="LENDER" if organisation.role is Role.LENDER else "LSP",
        base_url=organisation.base_url,
        tls_certificate=leaf.public_bytes(Encoding.PEM).decode(),
        public_key=public_pem(keys["signing"]).decode(),
        kid=str(uuid4()),
        backup_public_key=public_pem(keys["backup"]).decode(),
        backup_kid=str(uuid4()),
        spoc_email=email,
        spoc_phone=phone,
        ip_addresses=list(organisation.ip_addresses),
    )
    save_form(form, folder / "form.yaml")
    return form


def _keystores(folder: Path, form: OnboardingForm, ours: OnboardingForm, authority: x509.Certificate) -> None:
    """Write keystore and truststore as Java reads them: PKCS#12 (RFC 7292); one password opens both, and the key."""
    password = secrets.token_urlsafe(18)
    encryption = BestAvailableEncryption(password.encode())
    key, leaf = kept_or_new_key(folder / "tls.key"), leaf_of(form.tls_certificate)
    trusted = {"ocen-sandbox-ca": authority, alias_of(ours): leaf_of(ours.tls_certificate)}
    certificates = [pkcs12.PKCS12Certificate(certificate, alias.encode()) for alias, certificate in trusted.items()]
    secret = {
        PASSWORDS: f"{password}\n".encode(),
        "keystore.p12": pkcs12.serialize_key_and_certificates(
            alias_of(form).encode(), key, leaf, [authority], encryption
        ),
        "truststore.p12": pkcs12.serialize_java_truststore(certificates, encryption),
    }
    for name, content in secret.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)


def _first_steps(folder: Path, form: OnboardingForm, ours: OnboardingForm, role: Role) -> None:
    asked = get_message("v3", TRIGGER)
    first = asked if role in asked.senders or asked.answered_by is None else asked.answered_by
    content = {name: value for name, value in example_of(first).items() if name != "requestId"}
    (folder / "payload.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    own = FILES / form.role.lower()
    for script in (*(FILES / name for name in SCRIPTS), *own.glob("*.sh")):
        Path(shutil.copy(script, folder)).chmod(0o755)
    for source in own.glob("*.java"):
        shutil.copy(source, folder)
    words = {
        **form.model_dump(),
        "alias": alias_of(form),
        "port": urlsplit(form.base_url).port or 443,
        "peer_id": ours.organisation_id,
        "peer_label": "lender" if ours.role == "LENDER" else "LSP",
        "peer_url": ours.base_url,
        "peer_alias": alias_of(ours),
    }
    steps = Template((own / "first-steps.md").read_text("utf-8")).substitute(words)
    page = Template((FILES / "README.md").read_text("utf-8")).substitute(words, first_steps=steps)
    (folder / "README.md").write_text(page, "utf-8")


def alias_of(form: OnboardingForm) -> str:
    """Return the name of a participant's certificate in a keystore; Java knows lower case only."""
    return f"{form.organisation_id.lower()}-tls"
