"""`onboard`: take a counterparty's form, and hand out ours."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli import participants
from sandbox.cli.inputs import read_form_file
from sandbox.cli.options import DATA_DIR, DataDir, node_option
from sandbox.cli.participants import print_participant
from sandbox.cli.screen import say, shown
from sandbox.errors import SandboxError
from sandbox.forms import form_text, save_form, template
from sandbox.running import connected
from sandbox.settings import PAIR, Folders, NodeName
from shared.node.onboarding.form import ROLES, OnboardingForm
from shared.protocol.messages import Role


def onboard(
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="The form, YAML or JSON; - reads standard input.", show_default=False)
    ] = None,
    to: Annotated[
        NodeName | None, node_option("--to", text="The node that takes it.", default="the one of the other role")
    ] = None,
    answer: Annotated[
        Path | None, typer.Option(help="Write our side's form here, its PEM files beside it.", show_default="print it")
    ] = None,
    print_template: Annotated[bool, typer.Option("--template", help="Print a form to fill in, and stop.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Onboard a lender or LSP by its form.

    The certificate and the keys stand in the form as PEM, or in files beside
    it: tls_certificate_file: tls.pem. All that is wrong with a form is said
    at once, and nothing is stored then. The answer is our side's form.

    [cyan]ocen-sandbox onboard --template > form.yaml[/cyan]
    [cyan]ocen-sandbox onboard --file form.yaml --answer counterparty/form.yaml[/cyan]
    """
    if print_template:
        typer.echo(template(), nl=False)
        return
    if file is None:
        raise SandboxError("no form: give --file form.yaml; `ocen-sandbox onboard --template` writes one to fill in")
    form = read_form_file(file)
    _check_answer(answer)
    node = to or node_for(ROLES[form.role.strip().upper()])
    with connected(Folders(data_dir)) as pair:
        taken = pair[node].onboard(form.model_dump())
    say(Text(f"The {node.label} knows it from now on:\n", style="bold green"))
    print_participant(taken["participant"])
    hand_out(OnboardingForm.model_validate(taken["ours"]), answer)


@participants.app.command("form")
def own_form(
    *,
    at: Annotated[NodeName, node_option("--at", text="The node whose form it is.")],
    answer: Annotated[
        Path | None, typer.Option(help="Write it here, its PEM files beside it.", show_default="print it")
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Hand out a node's own form.

    With the keys and the certificate of now: what counterparties need again
    when one of them has changed.

    [cyan]ocen-sandbox participants form --at lender --answer counterparty/form.yaml[/cyan]
    """
    _check_answer(answer)
    with connected(Folders(data_dir)) as pair:
        hand_out(OnboardingForm.model_validate(pair[at].own_form()), answer)


def node_for(role: Role) -> NodeName:
    """Return the node of the pair to which a participant of a role talks."""
    return next(name for name in PAIR if name.role is not role)


def hand_out(ours: OnboardingForm, file: Path | None) -> None:
    """Write our form to a file, with its PEM files beside it, or print it in one piece."""
    if file is None:
        say(f"Our side's form, from {ours.organisation_id}; --answer FILE would write it to files:\n", style="bold")
        typer.echo(form_text(ours), nl=False)
        return
    written = save_form(ours, file, f"{ours.organisation_id}-")
    say(f"Our side's form: {', '.join(shown(path) for path in written)}")


def _check_answer(answer: Path | None) -> None:
    """Check that the answer can be written, before anybody is onboarded."""
    if answer is None:
        return
    answer.parent.mkdir(parents=True, exist_ok=True)
    if answer.is_dir():
        raise SandboxError(f"{answer} is a folder: name a file for our form, such as {answer / 'form.yaml'}")
    if not os.access(answer if answer.exists() else answer.parent, os.W_OK):
        raise SandboxError(f"{answer} cannot be written: name another file")
