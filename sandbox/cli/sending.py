"""`send` and `redrive`: have a node of the pair send a message, and show the result."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sandbox.cli.diagram import leaves
from sandbox.cli.inputs import read_json
from sandbox.cli.members import id_of
from sandbox.cli.options import DATA_DIR, DataDir, node_option
from sandbox.cli.screen import FAILED, PASSED, say
from sandbox.content import example_for, product_data_of
from sandbox.demo import SCRIPTS
from sandbox.errors import SandboxError
from sandbox.following import Record, finished_delivery, known_message
from sandbox.network import read_membership
from sandbox.offline import message_named
from sandbox.ops_client import OpsClient
from sandbox.running import UP, UP_V4, connected, read_run
from sandbox.settings import PAIR, Folders, NodeName, OcenVersion
from shared.catalogue.table import CATALOGUE, example_of
from shared.protocol.messages import MessageType
from shared.protocol.profiles import V4

NAMES = ", ".join(message.full_name for message in CATALOGUE)


def send(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"The message: {NAMES}.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Its payload, a JSON object; - reads standard input.", show_default="an example"),
    ] = None,
    sender: Annotated[
        NodeName | None, node_option("--from", text="The node that sends it.", default="whose role sends NAME")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Organisation id of the receiver, or its participant id.", show_default="the other node"),
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for ack and callback; 0: do not wait.")] = 5.0,
    data_dir: DataDir = DATA_DIR,
) -> int:
    """Send a message, and show what becomes of it.

    A node of the pair signs and sends it; it adds the metadata, and a
    requestId if the payload has none. Exit status 0: acknowledged, and
    answered if it has a callback; 1: not, or not in time.

    [cyan]ocen-sandbox send TriggerLoanAcceptanceRequest[/cyan]
    [cyan]ocen-sandbox send TriggerLoanAcceptanceRequest --file payload.json[/cyan]
    [cyan]ocen-sandbox send TriggerLoanAcceptanceRequest --to BANK01[/cyan]
    [cyan]ocen-sandbox send v4/CreateLoanApplicationsRequest --to LENDER02[/cyan]
    """
    message, given = message_named(name), read_json(file) if file is not None else None
    sender = sender or next(node for node in PAIR if node.role in message.senders)
    folders = Folders(data_dir)
    with connected(folders, UP_V4 if message.version == V4.name else UP) as pair:
        receiver = to or pair[sender.other].identity()["organisation_id"]
        content = given if given is not None else example_for(message, None)
        if message.version == V4.name:
            receiver, content = _for_v4(folders, message, pair[sender], receiver, given)
        underway = pair[sender].send(name, receiver, content)
        say(Text("requestId ").append(underway["request_id"], style="bold cyan"))
        return 0 if wait == 0 or _follow(pair[sender], message, underway["request_id"], wait) else 1


def _for_v4(
    folders: Folders, message: MessageType, ops: OpsClient, receiver: str, given: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    """Return the receiver's participant id, and the content; an example's product network becomes the sender's."""
    run = read_run(folders)
    if run is None or not run.speaks_v4:
        hint = f"`ocen-sandbox down`, then `{UP_V4}`"
        raise SandboxError(f"{message.full_name} is of OCEN 4.0, and the pair that runs speaks v3 alone: {hint}")
    participant_id = id_of(folders, receiver)
    sender = read_membership(run.certs / ops.identity()["organisation_id"])
    if given is None:
        return participant_id, example_for(message, sender)
    if given.get("productData") == example_of(message)["productData"]:
        given = {**given, "productData": product_data_of(sender)}
    return participant_id, given


def redrive(
    delivery_id: Annotated[
        str, typer.Argument(metavar="ID", help="The delivery's id, as `messages REQUEST_ID` shows it; not a requestId.")
    ],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Try a delivery again that was given up.

    It gets a new budget of tries. The id is that of the sent message, as
    [cyan]ocen-sandbox messages REQUEST_ID[/cyan] shows it.
    """
    with connected(Folders(data_dir)) as pair:
        for name, ops in pair.items():
            underway = ops.redrive(delivery_id)
            if underway is not None:
                say(f"The {name.label} tries again: requestId {underway['request_id']}")
                return
    raise SandboxError(f"no node has a delivery {delivery_id}: take the id from `ocen-sandbox messages REQUEST_ID`")


def _follow(ops: OpsClient, message: MessageType, request_id: str, seconds: float) -> bool:
    """Show the ack and the callback of a message as the sender's journal has them; tell whether all is well."""
    sent = ops.wait_for(lambda ops: finished_delivery(ops, request_id, message.full_name), seconds)
    if sent is None:
        underway = known_message(ops, request_id, message.full_name, "sent")
        state = f"{underway['state']}, {underway['result'] or 'no answer yet'}" if underway else "not in the journal"
        say(f"not acknowledged yet ({state}); the node goes on trying: see `ocen-sandbox messages {request_id}`")
        return False
    _print_delivery(sent)
    name = message.answered_by.full_name if message.answered_by else None
    if sent["state"] != "DELIVERED" or name is None:
        if sent["state"] != "DELIVERED":
            say(f"\nIn full: ocen-sandbox messages {request_id}", style="dim")
        return bool(sent["state"] == "DELIVERED")
    answer = ops.wait_for(lambda ops: known_message(ops, request_id, name, "received"), seconds)
    if answer is None:
        say(f"no {name} after {seconds:g} s; see `ocen-sandbox messages {request_id}`")
        return False
    passed = sum(step["outcome"] == "passed" for step in answer["verification"])
    line = Text(f"{PASSED} ", style="green").append(f"{answer['message']}", style="bold")
    say(line.append(f" from {answer['peer']}, {passed} checks hold", style="default"))
    gist = SCRIPTS[OcenVersion(message.version)].gist
    say(Text("  ").append_text(leaves(answer["decoded"]["payload"], gist)))
    say(f"\nIn full: ocen-sandbox messages {request_id}", style="dim")
    return True


def _print_delivery(sent: Record) -> None:
    attempt = sent["attempts"][-1] if sent["attempts"] else None
    took = f", {attempt['milliseconds']:.0f} ms" if attempt else ""
    tries = f", {sent['tries']} tries" if sent["tries"] > 1 else ""
    if sent["state"] == "DELIVERED":
        line = Text(f"{PASSED} ", style="green").append("signed ack", style="bold")
        say(line.append(f" from {sent['peer']}{took}{tries}", style="default"))
        return
    line = Text(f"{FAILED} {sent['state']} ", style="bold red").append(f"by {sent['peer']}{took}{tries}", "default")
    say(line)
    say(Text(f"  {sent['result']}"))
