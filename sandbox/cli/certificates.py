"""`certificates`: TLS certificates of the nodes and of their counterparties: add, remove, renew with overlap."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.inputs import CERTIFICATE, read_text
from sandbox.cli.options import DATA_DIR, At, DataDir, Of, Why, node_option
from sandbox.cli.participants import print_listed
from sandbox.cli.screen import say, shown, tell
from sandbox.enrolment import Enrolment, enrolled
from sandbox.errors import SandboxError
from sandbox.holders import Nodes, holders
from sandbox.pki.renewal import Renewal, prepare_renewals, put_in_place
from sandbox.running import connected, run_of
from sandbox.settings import Folders, NodeName
from shared.clock import SystemClock
from shared.node.onboarding.record import thumbprint_of

app = typer.Typer(help="TLS certificates: list, add, remove, renew.", no_args_is_help=True)

Whose = Annotated[str, typer.Option("--of", metavar="ORG", help="Whose it is.")]


@app.command("list")
def list_certificates(*, of: Of = None, at: At = None, data_dir: DataDir = DATA_DIR) -> None:
    """List TLS certificates with their history.

    The nodes' own, or with --of those of a counterparty; removed ones too.
    """
    print_listed(data_dir, "certificates", of, at)


@app.command()
def add(
    *,
    of: Whose,
    file: Annotated[Path, typer.Option("--file", help="The certificate, in PEM.")],
    reason: Why = "",
    at: At = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Register a further certificate of a counterparty.

    The former ones stay valid beside it, until they are removed. The registry
    of OCEN 4.0 takes it too, if it is a member's, unless --at names a node.

    [cyan]ocen-sandbox certificates add --of BANK01 --file new-tls.pem[/cyan]
    """
    pem, folders = read_text(file, CERTIFICATE), Folders(data_dir)
    with connected(folders) as pair, enrolled(folders, of) if at is None else nullcontext() as enrolment:
        for name in _add(holders(pair, of, at), of, [pem], enrolment, reason):
            say(Text(f"The {name.label} takes this certificate of {of} from now on: ", style="bold green"))
            say(f"  {thumbprint_of(pem)}")
        if enrolment is not None:
            say("The registry names it too; nodes that have just asked it, in ten seconds.")


@app.command()
def remove(
    *,
    thumbprint: Annotated[str, typer.Argument(help="SHA-256 of the certificate, or the first 8 digits or more.")],
    of: Whose,
    reason: Why = "",
    at: At = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Remove a certificate of a counterparty.

    Its connections are refused from now on; the last one cannot be removed.
    The registry of OCEN 4.0 takes it out of a member's, too, unless --at names
    a node.
    """
    folders = Folders(data_dir)
    with connected(folders) as pair, enrolled(folders, of) if at is None else nullcontext() as enrolment:
        knowing = holders(pair, of, at)
        if enrolment is not None:
            enrolment.check_not_last_certificate(thumbprint)
        for name, ops in knowing.items():
            ops.remove_certificate(of, thumbprint, reason)
            say(f"The {name.label} takes it no more.")
        if enrolment is not None:
            enrolment.remove_certificate(thumbprint)
            say("The registry does not name it any more.")


@app.command()
def renew(
    *,
    at: Annotated[NodeName | None, node_option("--at", text="The node whose certificate it is.")] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="ORG", help="Or an organisation that `pki issue` has made.")
    ] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make a new private key too.")] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Make it and tell the pair, but do not show it yet.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Renew a certificate of the sandbox, with overlap.

    The nodes that know its holder are told first, and of a member the
    registry of OCEN 4.0, ten seconds before; then its holder shows it.
    Counterparties elsewhere have to know it before: --prepare makes it and
    says where it is, and the same command without --prepare goes on.

    [cyan]ocen-sandbox certificates renew --at lender[/cyan]
    """
    if (at is None) == (of is None):
        raise SandboxError("whose certificate? Say --at lender, --at lsp, or --of ORG for another of `pki issue`")
    folders = Folders(data_dir)
    with connected(folders) as pair:
        run = run_of(folders)
        organisation_id = of or (pair[at].identity()["organisation_id"] if at else "")
        at = at or run.node_of(organisation_id)
        with enrolled(folders, organisation_id) as enrolment:
            made = prepare_renewals(run.certs, organisation_id, SystemClock().now(), new_key=new_key)
            new = [renewal.pem for renewal in made]
            _register_renewed(holders(pair, organisation_id), organisation_id, new, enrolment)
            if prepare:
                _tell_how_to_go_on(made, f"--at {at.value}" if at else f"--of {organisation_id}", organisation_id)
                return
            if enrolment is not None:
                enrolment.await_look_ups(tell)
        _show(pair, made, organisation_id, at)


def _register_renewed(nodes: Nodes, organisation_id: str, pems: Sequence[str], enrolment: Enrolment | None) -> None:
    for name in _add(nodes, organisation_id, pems, enrolment, "renewal"):
        say(f"The {name.label} takes the new certificate beside the old one: {_named(pems)}")
    if enrolment is not None:
        say("The registry names it too.")


def _named(pems: Sequence[str]) -> str:
    return ", ".join(map(thumbprint_of, pems))


def _tell_how_to_go_on(made: Sequence[Renewal], whose: str, holder: str) -> None:
    files = " and ".join(shown(renewal.next_certificate) for renewal in made)
    say(f"\n{holder} does not show it yet. Give {files} to your counterparties, then:")
    say(f"  ocen-sandbox certificates renew {whose}")


def _add(
    nodes: Nodes, organisation_id: str, pems: Sequence[str], enrolment: Enrolment | None, reason: str
) -> Iterator[NodeName]:
    """Register certificates at the nodes, yielding each, then at the registry; refuse first if that has no room."""
    if enrolment is not None:
        enrolment.check_room_for_certificates(pems)
    for name, ops in nodes.items():
        for pem in pems:
            ops.add_certificate(organisation_id, pem, reason)
        yield name
    if enrolment is not None:
        enrolment.add_certificates(pems)


def _show(pair: Nodes, made: Sequence[Renewal], organisation_id: str, node: NodeName | None) -> None:
    def load() -> None:
        if node is not None:
            pair[node].renew_certificate()

    former = [thumbprint_of(renewal.certificate.read_text("utf-8")) for renewal in made]
    put_in_place(made, load)
    who = f"The {node.label} shows it" if node else f"{organisation_id} has it"
    files = ", ".join(shown(renewal.certificate) for renewal in made)
    say(Text(f"{who} from now on: ", style="bold green").append(files, "default"))
    say("\nWhen nobody shows or needs the old one any more (the next `up` does it too):")
    for thumbprint in former:
        say(f"  ocen-sandbox certificates remove {thumbprint[:16]} --of {organisation_id}")
