"""`pki`: keys and certificates of the sandbox's organisations."""

from dataclasses import replace
from typing import Annotated

import typer
from cryptography import x509
from rich.text import Text

from sandbox.cli.options import CERTS_DIR, DATA_DIR, Addresses, CertsDir, DataDir, OrgName, RoleName, role_named
from sandbox.cli.screen import facts, listing, say, shown
from sandbox.pki.certificates import fingerprint, hosts_of, key_fingerprint
from sandbox.pki.folder import SANDBOX_PAIR, Listed, describe, initialise
from sandbox.pki.folder import issue as issue_files
from sandbox.pki.organisation import LOOPBACK, Organisation, own_form
from sandbox.running import connected, nodes_alive, read_run
from sandbox.settings import Folders
from shared.clock import SystemClock

app = typer.Typer(help="Make keys and certificates, and show them.", no_args_is_help=True)


@app.command()
def init(
    *,
    certs_dir: CertsDir = CERTS_DIR,
    host: Annotated[list[str] | None, typer.Option(help="A further host for the certificates; repeatable.")] = None,
    lender_url: Annotated[str, typer.Option(help="Base URL of the lender.")] = SANDBOX_PAIR[0].base_url,
    lsp_url: Annotated[str, typer.Option(help="Base URL of the LSP.")] = SANDBOX_PAIR[1].base_url,
    any_address: Annotated[bool, typer.Option("--any-address", help="Let the pair call from any address.")] = False,
) -> None:
    """Make keys and certificates of the pair.

    What exists is kept, what is missing is made. `up` and `demo` do this by
    themselves.
    """
    addresses = () if any_address else LOOPBACK
    pair = [
        replace(organisation, base_url=url, ip_addresses=addresses)
        for organisation, url in zip(SANDBOX_PAIR, (lender_url, lsp_url), strict=True)
    ]
    made = initialise(certs_dir, pair, host or (), SystemClock().now())
    say(Text(f"Keys and certificates are in {shown(certs_dir)}.\n", style="bold green"))
    rows = [
        ("ca.pem", "the authority, the only root that the nodes trust"),
        ("participants.json", "the directory: ids, roles, base URLs, certificates, public keys"),
        *((f"{organisation_id}/identity.json", "what its node loads to know itself") for organisation_id in made),
    ]
    say(facts(rows))
    say("\nSee `ocen-sandbox pki show`.", style="dim")


@app.command()
def show(*, certs_dir: CertsDir = CERTS_DIR) -> None:
    """Show certificates and kids of every organisation.

    Never a private key.
    """
    _print_summary(*describe(certs_dir))


@app.command()
def issue(
    *,
    organisation_id: Annotated[str, typer.Argument(metavar="ORG", help="Its organisation id, for metadata.orgId.")],
    role: Annotated[RoleName, typer.Option(help="What it does in the network.")],
    base_url: Annotated[str, typer.Option(help="Where its protocol plane is or will be.")] = "https://localhost:8446",
    name: OrgName = None,
    certs_dir: CertsDir = CERTS_DIR,
    address: Addresses = None,
    two_certificates: Annotated[
        bool, typer.Option("--two-certificates", help="One to serve with and another to call with.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Make keys and a certificate for a further organisation.

    Such as your own lender or LSP. If the pair runs, its nodes know it at
    once; otherwise from the next start on.

    [cyan]ocen-sandbox pki issue BANK01 --role LENDER --base-url https://localhost:9443[/cyan]
    """
    organisation = Organisation(
        organisation_id,
        name or organisation_id,
        role_named(role),
        base_url,
        ip_addresses=tuple(address or LOOPBACK),
        has_two_certificates=two_certificates,
    )
    made = issue_files(certs_dir, organisation, SystemClock().now())
    home = made[organisation_id].parent
    say(Text(f"{organisation_id} has keys and a certificate.\n", style="bold green"))
    say(Text("in ").append(f"{shown(home)}/", style="bold"))
    _print_files(two_certificates=two_certificates)
    say()
    _register(Folders(data_dir, certs_dir), organisation_id)


def _print_files(*, two_certificates: bool) -> None:
    rows = [
        ("identity.json", "its organisation id, role, kids, and the files below"),
        ("signing.key", "its JWS key in use, RSA 2048; signing.pub.pem is the public half"),
        ("backup.key", "its second key, to change to without a pause"),
        ("tls.pem, tls.key", f"its TLS certificate and key, for serving{'' if two_certificates else ' and calling'}"),
        *([("tls-client.pem, tls-client.key", "the same for calling")] if two_certificates else []),
        ("../ca.pem", "whom it trusts"),
    ]
    say(facts(rows, indent=2))


def _register(folders: Folders, organisation_id: str) -> None:
    """Tell the nodes that run, if they trust this authority, of the new participant."""
    run = read_run(folders)
    later = f"The next `ocen-sandbox up` loads it from {shown(folders.certs)}/participants.json."
    if run is None or not nodes_alive(folders, run):
        say(f"The sandbox does not run. {later}")
        return
    if run.certs.resolve() != folders.certs.resolve():
        say(f"The sandbox that runs uses other keys ({shown(run.certs)}). {later}")
        return
    form = own_form(folders.certs / organisation_id / "identity.json")
    with connected(folders) as pair:
        for ops in pair.values():
            ops.onboard(form.model_dump())
        nodes = listing([f"the {name.label}" for name in pair])
    say(f"{nodes[0].upper()}{nodes[1:]} that run know it from now on.")
    if run.speaks_v4:
        say(f"Make it a member of the network of OCEN 4.0, too: ocen-sandbox registry join {organisation_id}")


def _print_summary(authority: x509.Certificate, participants: list[Listed]) -> None:
    say(Text("authority  ", style="dim").append(authority.subject.rfc4514_string(), style="bold"))
    say(facts([("sha256", fingerprint(authority)), ("expires", f"{authority.not_valid_after_utc:%Y-%m-%d}")], indent=2))
    for record, certificates, keys, held in participants:
        whose = "" if held else ", its private keys are elsewhere"
        say()
        say(Text(record.organisation_id, "bold cyan").append(f"  {record.role.value}, {record.name}{whose}", "default"))
        rows = [("base URL", record.base_url)]
        for certificate in certificates:
            rows += [("certificate", fingerprint(certificate))]
            rows += [
                ("", f"expires {certificate.not_valid_after_utc:%Y-%m-%d}, for {', '.join(hosts_of(certificate))}")
            ]
        for key, public in zip(record.keys, keys, strict=True):
            rows += [("key", f"{key.kid}  {key.status.value}, {key.algorithm}, {public.key_size} bits")]
            rows += [("", f"sha256 {key_fingerprint(public)}")]
        say(facts(rows, indent=2))
