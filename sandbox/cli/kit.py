"""`kit`: make a folder with all that an integrator needs to begin, and onboard it at the running pair."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.onboarding import node_for
from sandbox.cli.options import DATA_DIR, Addresses, DataDir, OrgName, RoleName, role_named
from sandbox.cli.screen import data_option, facts, say, shown
from sandbox.kit import make_kit
from sandbox.pki.folder import load_authority
from sandbox.pki.organisation import LOOPBACK, Organisation
from sandbox.running import connected, run_of
from sandbox.settings import Folders
from shared.clock import SystemClock
from shared.node.onboarding.form import OnboardingForm


def kit(
    *,
    org: Annotated[str, typer.Option("--org", metavar="ORG", help="Organisation id, for metadata.orgId.")],
    role: Annotated[RoleName, typer.Option(help="What it does in the network.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to make; new or empty.")],
    base_url: Annotated[str, typer.Option(help="Where your service is or will be.")] = "https://localhost:8446",
    name: OrgName = None,
    address: Addresses = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Make a starter kit, and onboard it.

    Keys, a certificate, keystores for Java, our certificate and keys, a
    filled form, a first message, scripts with openssl and curl, and a page
    that says what each is. The pair that runs knows it at once.

    [cyan]ocen-sandbox kit --org ACME --role LSP --out acme/[/cyan]
    [cyan]acme/first-message.sh[/cyan]
    """
    organisation = Organisation(org, name or org, role_named(role), base_url, ip_addresses=tuple(address or LOOPBACK))
    node, now, folders = node_for(role_named(role)), SystemClock().now(), Folders(data_dir)
    with connected(folders) as pair:
        make_kit(
            out,
            organisation,
            authority=load_authority(run_of(folders).certs, now),
            ours=OnboardingForm.model_validate(pair[node].own_form()),
            onboard=lambda form: pair[node].onboard(form.model_dump()),
            now=now,
        )
    say(Text(f"{org} has a kit, and the {node.label} knows it.\n", style="bold green"))
    _print_made(org, role, out, data_option(data_dir))


def _print_made(org: str, role: RoleName, out: Path, where: str) -> None:
    say(Text("in ").append(f"{shown(out)}/", style="bold"))
    rows = [
        ("README.md", "what each file is, and how Java reads it"),
        ("keystore.p12, truststore.p12", "for Java; passwords-not-for-production.txt opens both"),
        ("form.yaml, counterparty/", "your form, and ours with our certificate and keys"),
    ]
    say(facts(rows, indent=2))
    if role == "LSP":
        say("\nSend the first message, and verify the signed ack:")
        say(f"  {shown(out)}/first-message.sh", style="bold")
        say("\nIts callback goes to the base URL; in another terminal, before:")
        say(f"  python3 {shown(out)}/listener.py", style="bold")
        return
    say("\nReceive the first message, and answer it with a signed ack; in two terminals:")
    say(f"  python3 {shown(out)}/listener.py", style="bold")
    say(f"  ocen-sandbox send TriggerLoanAcceptanceRequest --to {org} --wait 2{where}", style="bold")
