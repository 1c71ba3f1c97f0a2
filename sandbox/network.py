"""The network of OCEN 4.0 in a sandbox: how an organisation becomes a member.

What the registry gave a member lies in its folder as membership.json, its client secret beside it in a file of its own.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from sandbox.errors import SandboxError
from sandbox.pki.files import write_private, write_public
from sandbox.pki.organisation import own_form
from sandbox.registry_ops import RegistryOps
from shared.node.onboarding.form import ROLES, OnboardingForm

APPROVED_BY: Final = "sandbox"

MEMBERSHIP_FILE: Final = "membership.json"
SECRET_FILE: Final = "client-secret"


class Membership(NamedTuple):
    """What the registry knows a member by; `kid` is that of its identity file when it joined."""

    participant_id: str
    organisation_id: str
    client_id: str
    kid: str
    product_id: str
    product_network_id: str


def join(registry: RegistryOps, identity_file: Path, now: OnboardingForm | None = None) -> Membership:
    """Make an organisation a member: registered, approved, in the product network; again if it is one already.

    Keys, certificate and base URL become those of `now`. Without it they become those of its identity file, but for
    keys that the file named before: they may have changed since. What was written before is kept as long as the
    registry knows it; where the secret is lost, or was given by another registry, a new one is given.

    Raises SandboxError if the registry says no. Raises IdentityError if the identity file cannot be used.
    """
    home, own = identity_file.parent, own_form(identity_file)
    before = members_in(home.parent).get(home)
    are_keys_new = now is not None or before is None or before.kid != own.kid
    form = registration_of(now or own)
    known = _known(registry, form)
    if known is None:
        given = registry.register(form)
        known = given["participant"]
        write_private(home / SECRET_FILE, given["client_secret"].encode())
        registry.decide(known["id"], "approve", approved_by=APPROVED_BY)
    else:
        _bring_up_to_date(registry, known, form, are_keys_new=are_keys_new)
        if before is None or before.client_id != known["client_id"] or not (home / SECRET_FILE).exists():
            write_private(home / SECRET_FILE, registry.renew_secret(known["id"])["client_secret"].encode())
    product_id, network_id = admit(registry, known["id"])
    member = Membership(
        participant_id=known["id"],
        organisation_id=known["organisation"]["id"],
        client_id=known["client_id"],
        kid=own.kid,
        product_id=product_id,
        product_network_id=network_id,
    )
    write_public(home / MEMBERSHIP_FILE, json.dumps(member._asdict(), indent=2).encode() + b"\n")
    return member


def admit(registry: RegistryOps, participant_id: str) -> tuple[str, str]:
    """Let a participant take part in the sandbox's product network; return the ids of product and network.

    Raises SandboxError if the registry says no.
    """
    product_id, network_id = registry.network()
    registry.admit(network_id, participant_id)
    return product_id, network_id


def members_in(certs: Path) -> dict[Path, Membership]:
    """Return who has joined, by the folder of the organisation; a file that cannot be read is passed over."""
    found = {}
    for file in sorted(certs.glob(f"*/{MEMBERSHIP_FILE}")):
        with contextlib.suppress(SandboxError):
            found[file.parent] = read_membership(file.parent)
    return found


def read_membership(home: Path) -> Membership:
    """Read what the registry gave an organisation, from its folder.

    Raises SandboxError if it is no member, or the file is not what was written.
    """
    file = home / MEMBERSHIP_FILE
    try:
        return Membership(**json.loads(file.read_text("utf-8")))
    except FileNotFoundError as error:
        raise SandboxError(
            f"{home.name} is no member of the network: ocen-sandbox registry join {home.name}"
        ) from error
    except (ValueError, TypeError) as error:
        raise SandboxError(f"{file} is not what ocen-sandbox wrote: delete it and join again") from error


def current_member(registry: RegistryOps, member: Membership) -> dict[str, Any] | None:
    """Return a member as the registry has it; None if it was offboarded, or another registry gave it its id."""
    known = registry.participant(member.participant_id)
    is_it = known is not None and known["client_id"] == member.client_id and known["offboarded_at"] is None
    return known if is_it else None


def member_environment(home: Path, member: Membership, registry_url: str) -> dict[str, str]:
    """Return the environment variables with which a node takes part in OCEN 4.0."""
    return {
        "OCEN_REGISTRY_URL": registry_url,
        "OCEN_PARTICIPANT_ID": member.participant_id,
        "OCEN_CLIENT_ID": member.client_id,
        "OCEN_CLIENT_SECRET_FILE": str((home / SECRET_FILE).absolute()),
        "OCEN_PRODUCT_NETWORKS": member.product_network_id,
    }


def registration_of(form: OnboardingForm) -> dict[str, Any]:
    """Return the registration that an onboarding form becomes at the registry."""
    plain = ("base_url", "public_key", "kid", "backup_public_key", "backup_kid", "spoc_email", "spoc_phone")
    return {
        **form.model_dump(include={*plain, "ip_addresses"}),
        "name": f"{form.name} ({form.organisation_id})",
        "role": ROLES[form.role.strip().upper()].value,
        "tls_certificates": [pem for pem in (form.tls_certificate, form.tls_client_certificate) if pem],
    }


def _known(registry: RegistryOps, form: Mapping[str, Any]) -> dict[str, Any] | None:
    ours = (participant for participant in registry.participants() if participant["role"] == form["role"])
    return next((participant for participant in ours if participant["organisation"]["name"] == form["name"]), None)


def _bring_up_to_date(
    registry: RegistryOps, known: Mapping[str, Any], form: Mapping[str, Any], *, are_keys_new: bool
) -> None:
    keys: Sequence[str] = [key["kid"] for key in known["keys"]]
    if are_keys_new and keys != [kid for kid in (form["kid"], form["backup_kid"]) if kid]:
        names = ("public_key", "kid", "backup_public_key", "backup_kid")
        registry.change_keys(known["id"], {name: form[name] for name in names})
    registry.amend(known["id"], base_url=form["base_url"], tls_certificates=form["tls_certificates"])
    if known["status"] != "APPROVED":
        registry.decide(known["id"], "approve", approved_by=APPROVED_BY)
