"""`registry`: who takes part in the network of OCEN 4.0, from registration to offboarding, and what they report."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.inputs import read_form_file
from sandbox.cli.members import id_of, print_events, print_participant, print_participants, print_secret, print_status
from sandbox.cli.options import DATA_DIR, DataDir, Id
from sandbox.cli.screen import facts, say, shown
from sandbox.errors import SandboxError
from sandbox.network import APPROVED_BY, SECRET_FILE, admit, join, member_environment, members_in, registration_of
from sandbox.pki.files import write_private
from sandbox.pki.folder import DEFAULT_FOLDER
from sandbox.pki.organisation import own_form
from sandbox.running import Run, connected, connected_registry, run_of
from sandbox.settings import Folders, NodeName
from shared.node.onboarding.form import OnboardingForm

app = typer.Typer(help="The network of OCEN 4.0: who takes part, and what they report.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--reason", help="Why; kept with the participant.")]
Needed = Annotated[str, typer.Option("--reason", help="Why; needed, and kept with the participant.")]


@app.command("list")
def list_participants(
    *,
    offboarded: Annotated[bool, typer.Option("--offboarded", help="Those that were offboarded, too.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """List who is registered.

    With role, status, base URL, and the product networks of each.
    """
    with connected_registry(Folders(data_dir)) as registry:
        listed = registry.participants(**({"offboarded": "true"} if offboarded else {}))
        networks = registry.networks()
    print_participants(listed, networks)


@app.command()
def show(*, participant_id: Id, data_dir: DataDir = DATA_DIR) -> None:
    """Show a participant: keys, certificates, standing.

    [cyan]ocen-sandbox registry show LENDER01[/cyan]
    """
    folders = Folders(data_dir)
    with connected_registry(folders) as registry:
        wanted = id_of(folders, participant_id)
        found = registry.participant(wanted)
    if found is None:
        raise SandboxError(f"nobody was ever registered as {wanted}: see `ocen-sandbox registry list`")
    print_participant(found)


@app.command("join")
def join_network(
    *,
    organisation_id: Annotated[str, typer.Argument(metavar="ORG", help="An organisation that `pki issue` has made.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Make an organisation a member of the network.

    Registered, approved, in the product network; its client secret lies in
    its folder then. Once more brings keys, certificate and base URL up to
    date, and keeps the ids.

    [cyan]ocen-sandbox pki issue BANK01 --role LENDER[/cyan]
    [cyan]ocen-sandbox registry join BANK01[/cyan]
    """
    folders = Folders(data_dir)
    with connected_registry(folders) as registry:
        run = run_of(folders)
        home = run.certs / organisation_id
        if not (home / "identity.json").exists():
            usual = run.certs.absolute() == DEFAULT_FOLDER.absolute()
            where = "" if usual else f" --certs-dir {shown(run.certs)}"
            hint = f"ocen-sandbox pki issue {organisation_id} --role LSP{where}"
            raise SandboxError(f"{organisation_id} has no keys here: `{hint}`, or --role LENDER")
        before = members_in(run.certs).get(home)
        member = join(registry, home / "identity.json", _form_of_now(folders, run, organisation_id))
    say(Text(f"{organisation_id} is participant {member.participant_id} of the network.\n", style="bold green"))
    rows = member_environment(home, member, run.nodes[NodeName.REGISTRY].url)
    say("A node of this project is told so by its environment; yours needs the same:")
    say(facts(rows.items(), indent=2))
    say(f"\nIts messages name product {member.product_id} and product network {member.product_network_id}.")
    if run.node_of(organisation_id) and (before is None or before.client_id != member.client_id):
        say(f"Its node learns of it when it starts: ocen-sandbox down, then {run.command}")


@app.command()
def register(
    *,
    file: Annotated[Path, typer.Option("--file", help="The form, YAML or JSON; - reads standard input.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Register an organisation by its form, for approval.

    The form is that of `onboard`, with keys and certificate of its own. The
    client secret is printed, this once.

    [cyan]ocen-sandbox onboard --template > form.yaml[/cyan]
    [cyan]ocen-sandbox registry register --file form.yaml[/cyan]
    """
    form = read_form_file(file)
    with connected_registry(Folders(data_dir)) as registry:
        given = registry.register(registration_of(form))
    say(Text(f"{form.organisation_id} is registered, and has to be approved:\n", style="bold green"))
    print_secret(given)
    say(f"\n  ocen-sandbox registry approve {given['participant']['id']}")


@app.command()
def approve(*, participant_id: Id, reason: Why = "", data_dir: DataDir = DATA_DIR) -> None:
    """Approve a participant, and admit it to the network.

    It gets tokens from now on, and others are told of it.
    """
    folders = Folders(data_dir)
    with connected_registry(folders) as registry:
        participant = registry.decide(id_of(folders, participant_id), "approve", approved_by=APPROVED_BY, reason=reason)
        _, network_id = admit(registry, participant["id"])
    print_status(participant)
    say(f"It is in product network {network_id}.")


@app.command()
def suspend(*, participant_id: Id, reason: Needed = "", data_dir: DataDir = DATA_DIR) -> None:
    """Suspend a participant until it is approved anew.

    The registry serves it no more; nodes that have looked it up notice within
    minutes. The next `up` approves the nodes of the sandbox again.
    """
    _step(Folders(data_dir), participant_id, "suspend", reason)


@app.command()
def reject(*, participant_id: Id, reason: Needed = "", data_dir: DataDir = DATA_DIR) -> None:
    """Reject a participant that has not been approved."""
    _step(Folders(data_dir), participant_id, "reject", reason)


@app.command()
def offboard(*, participant_id: Id, reason: Needed = "", data_dir: DataDir = DATA_DIR) -> None:
    """Offboard a participant, for ever.

    Its client is refused from then on; who joins again gets a new id.
    """
    _step(Folders(data_dir), participant_id, "offboard", reason)


@app.command()
def secret(*, participant_id: Id, data_dir: DataDir = DATA_DIR) -> None:
    """Give a participant's client a new secret.

    It goes into the folder of the member, or is printed, this once. The
    former one is refused at once.
    """
    folders = Folders(data_dir)
    with connected_registry(folders) as registry:
        given = registry.renew_secret(id_of(folders, participant_id))
    run = run_of(folders)
    home = next((folder for folder, its in members_in(run.certs).items() if its.client_id == given["client_id"]), None)
    if home is None:
        print_secret(given)
        return
    write_private(home / SECRET_FILE, given["client_secret"].encode())
    say(f"The new secret of {home.name} is in {shown(home / SECRET_FILE)}; the former one is refused from now on.")
    if run.node_of(home.name):
        say(f"Its node reads it when it starts: ocen-sandbox down, then {run.command}")


@app.command("rotate-key")
def rotate_key(*, data_dir: DataDir = DATA_DIR) -> None:
    """Have the Auth Service sign tokens with a new key.

    The former key stays in its JWKS until the last token of it has expired.
    """
    with connected_registry(Folders(data_dir)) as registry:
        key = registry.rotate_signing_key()
    say(Text("Tokens are signed with a new key from now on: ", "bold green").append(key["kid"], "bold"))


@app.command()
def events(
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="So many of the latest.")] = 20,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """List what participants have reported to the heartbeat.

    The newest last.
    """
    folders = Folders(data_dir)
    with connected_registry(folders) as registry:
        listed = registry.events(limit)
        members = members_in(run_of(folders).certs)
    if not listed:
        say("No events yet; some come of: ocen-sandbox demo --version v4")
        return
    print_events(listed, {member.participant_id: home.name for home, member in members.items()})


def _form_of_now(folders: Folders, run: Run, organisation_id: str) -> OnboardingForm:
    """Return what a node says of itself, whose keys may have changed since; of others what their files say."""
    node = run.node_of(organisation_id)
    if node is None:
        return own_form(run.certs / organisation_id / "identity.json")
    with connected(folders) as nodes:
        return OnboardingForm.model_validate(nodes[node].own_form())


def _step(folders: Folders, named: str, step: str, reason: str) -> None:
    if not reason.strip():
        raise SandboxError(f'no reason: ocen-sandbox registry {step} {named} --reason "late payments"')
    with connected_registry(folders) as registry:
        print_status(registry.decide(id_of(folders, named), step, reason=reason))
