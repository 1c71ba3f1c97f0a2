"""`demo`: shows the exchange of a version of OCEN step by step, as its script says."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sandbox.cli.lifecycle import print_pair, run_until_interrupted
from sandbox.cli.pair_options import with_pair_settings
from sandbox.cli.screen import FAILED, PASSED, data_option, facts, say, screen, shown, tell
from sandbox.cli.stage import Stage
from sandbox.content import example_for, new_application_id
from sandbox.demo import SCRIPTS, Demo, DemoFailedError, Script, heartbeat_of
from sandbox.errors import SandboxError
from sandbox.following import Passage, Record
from sandbox.insider import lsp_and_lender_of, signing_with
from sandbox.member_lookup import MemberLookup, check_members, look_up
from sandbox.network import Membership, read_membership
from sandbox.pair import StartedPair, started_pair
from sandbox.pair_settings import PairSettings
from sandbox.running import Run, connected, connected_registry, nodes_alive, read_run
from sandbox.settings import LENDERS, Folders, NodeName, OcenVersion
from sandbox.supervisor import interrupted_by_signals
from sandbox.tampered import TamperedOutcome, send_tampered
from shared.catalogue.bodies.v4.registry import NETWORK_PARTICIPANTS_PATH, PARTICIPANT_PATH, TOKEN_PATH
from shared.clock import SystemClock
from shared.protocol.tokens import TOKEN_ALGORITHM


@with_pair_settings
def demo(
    *,
    settings: PairSettings,
    leave: Annotated[bool, typer.Option("--exit", help="End the pair afterwards, if the demo has started it.")] = False,
    every_check: Annotated[
        bool, typer.Option("--every-check", help="Name the checks at every step, not only where they are new.")
    ] = False,
) -> int:
    """Show a loan acceptance end to end, and a refusal.

    Uses the pair that runs in the data folder, or starts one. Every arrow is
    a signed call over mTLS; the checks come from the journals of both nodes.
    With --version v4: token, look-up, loan application, acceptance, heartbeat.
    Exit status 0: every step held; 1: one did not.

    [cyan]ocen-sandbox demo[/cyan]                          the pair stays up until Ctrl-C
    [cyan]ocen-sandbox demo --exit[/cyan]                   the pair ends with the demo
    [cyan]ocen-sandbox demo --version v4 --lenders 3[/cyan] OCEN 4.0, with three lenders
    """
    with interrupted_by_signals(), _some_pair(settings) as (run, started):
        held = play(settings, run, every_check=every_check)
        if started is not None and not leave:
            say("\nThe pair stays up until Ctrl-C.")
            run_until_interrupted(started)
    return 0 if held else 1


@contextmanager
def _some_pair(settings: PairSettings) -> Iterator[tuple[Run, StartedPair | None]]:
    """Use the pair that runs, or start one; a started one is returned too.

    Raises SandboxError if the pair that runs does not speak what is to be shown.
    """
    run = read_run(settings.folders)
    if run is not None and nodes_alive(settings.folders, run).keys() == run.nodes.keys():
        if settings.version is OcenVersion.V4 and not run.speaks_v4:
            raise SandboxError("the pair that runs speaks v3 alone: `ocen-sandbox down`, then this command again")
        say(f"Using the pair that runs already, at {run.nodes[NodeName.LENDER].url}.\n", style="dim")
        yield run, None
        return
    with started_pair(settings, tell=tell) as pair:
        print_pair(pair)
        say()
        yield pair.run, pair


def play(settings: PairSettings, run: Run, *, every_check: bool) -> bool:
    """Show the exchange and the refusal on a pair that runs; return whether every step succeeded."""
    script = SCRIPTS[settings.version]
    try:
        passages, refusal = _played(settings.folders, run, script, every_check=every_check)
    except DemoFailedError as failure:
        say(Text(f"\n{FAILED} {failure}", style="bold red"))
        say(f"\nSee `ocen-sandbox messages`, and the logs in {shown(settings.folders.data / 'logs')}")
        return False
    _print_verdict(passages, refusal)
    commands = {
        f"messages {passages[0].request_id}": "the first exchange in full",
        f"messages {refusal.request_id}": "the refusal in full",
        f"send {script.message(script.tampered).full_name}": "one more message",
        **script.next_commands,
    }
    _print_next(settings.folders, run, commands)
    return refusal.is_right


def _print_verdict(passages: Sequence[Passage], refusal: TamperedOutcome) -> None:
    say()
    if not refusal.is_right:
        say(Text(f"{FAILED} The tampered message was not refused as it has to be.", style="bold red"))
        return
    count = len(passages)
    checks = sum(len(step.checks) + len(step.ack_checks) for step in passages)
    took = (max(step.acked_at for step in passages) - passages[0].sent_at).total_seconds() * 1000
    say(Text(f"{PASSED} Every step held.", style="bold green"))
    say(
        f"  {count} messages and {count} acks, {2 * count} signatures, {checks} checks, {took:.0f} ms.\n"
        "  The message that was changed was refused, and left no trace but its refusal."
    )


def _print_next(folders: Folders, run: Run, commands: Mapping[str, str]) -> None:
    where = data_option(folders.data)
    what = "network" if run.speaks_v4 else "pair"
    say(f"\nNext, while the {what} runs ({run.command}{where}):")
    width = max(map(len, commands)) + len(where)
    for command, note in commands.items():
        line = Text(f"  ocen-sandbox {command + where:{width}}", style="cyan").append(f"  {note}", style="dim")
        say(line)


def _played(folders: Folders, run: Run, script: Script, *, every_check: bool) -> tuple[list[Passage], TamperedOutcome]:
    """Show what the script has: a loan acceptance and a refusal, in OCEN 4.0 from the token to the heartbeat.

    Raises:
        DemoFailedError: a step does not hold.
        SandboxError: a node or the registry does not answer, or does not send.
    """
    stage = Stage(every_check=every_check, told=script.gist)
    lsp, lender = (run.nodes[name].organisation_id for name in (NodeName.LSP, NodeName.LENDER))
    members = _members(folders, run) if script.has_registry else {}
    with connected(folders) as pair:
        demo = Demo(pair, script, stage.tell, members, new_application_id())
        if script.has_registry:
            seen = _show_look_up(run, members, stage)
            insider, receiver = seen.insider, seen.participants[members[NodeName.LENDER].participant_id]
            _show_applications(stage, demo, run)
        else:
            insider, receiver = lsp_and_lender_of(run)
        insider = signing_with(insider, run.certs / lsp, pair[NodeName.LSP].identity()["kid"])
        stage.open("Loan acceptance: the borrower confirms by an OTP that the lender sends", lsp, lender)
        demo.accepted()
        content = example_for(script.message(script.tampered), members.get(NodeName.LSP))
        refusal = send_tampered(script, insider, receiver, content, lender=pair[NodeName.LENDER], clock=SystemClock())
    which = "Another" if script.has_registry else "The same"
    stage.open(f"{which} request, changed by somebody after the LSP has signed it", lsp, lender)
    stage.refusal(refusal)
    if script.has_registry:
        with connected_registry(folders) as registry:
            _print_events(heartbeat_of(registry, stage.passages, demo.loan_application_id), run, members)
    return stage.passages, refusal


def _members(folders: Folders, run: Run) -> Mapping[NodeName, Membership]:
    """Return what the registry knows the nodes by. Raises SandboxError if one takes no part in the network."""
    ids = {name: node.organisation_id for name, node in run.nodes.items() if node.organisation_id}
    members = {name: read_membership(run.certs / organisation_id) for name, organisation_id in ids.items()}
    with connected_registry(folders) as registry:
        check_members(registry, run, members)
    return members


def _show_applications(stage: Stage, demo: Demo, run: Run) -> None:
    """Show how every lender gets the same application, in a message of its own."""
    sent = demo.apply()
    for name, request_id in sent.items():
        asked, lsp = run.nodes[name].organisation_id, run.nodes[NodeName.LSP].organisation_id
        stage.open(f"Loan application to {asked}, participant {demo.members[name].participant_id}", lsp, asked)
        demo.created(name, request_id)
    if len(sent) == 1:
        return
    say("\nThe same application, in a message of its own for each lender\n", style="bold")
    for step in stage.passages[::2]:
        signature = step.signature.rpartition(".")[2]
        rows = [
            ("requestId", step.request_id),
            ("traceId", step.content["metadata"]["traceId"]),
            ("signature", f"{signature[:32]}..."),
        ]
        say(Text(step.receiver, style="bold cyan"))
        say(facts(rows, indent=2))


def _show_look_up(run: Run, members: Mapping[NodeName, Membership], stage: Stage) -> MemberLookup:
    """Do what the LSP's node does before its first message, and show it."""
    lsp, registry = run.nodes[NodeName.LSP].organisation_id, run.nodes[NodeName.REGISTRY]
    sought = frozenset(members[name].participant_id for name in LENDERS if name in members)
    seen = look_up(run.certs / lsp, registry.url, sought, SystemClock())
    stage.open("Token and look-up: whom the network knows, and how they are reached", lsp, "Registry")
    claims, hours = seen.claims, (seen.claims["exp"] - seen.claims["iat"]) / 3600
    said = Text("participantId ", "dim").append(f"{claims['participantId']}").append(", iss ", "dim")
    said.append(f"{claims['iss']}").append(", verified with the keys of the Auth Service", "dim")
    token = f"access token, {TOKEN_ALGORITHM}, for {hours:.0f} hours"
    stage.call(lsp, f"POST {TOKEN_PATH}", token, said)
    network = NETWORK_PARTICIPANTS_PATH.format(number=seen.member.product_network_id)
    listed = ", ".join(f"{role} {id_}" for id_, role in sorted(seen.roles.items(), key=lambda item: item[::-1]))
    stage.call(lsp, f"GET {network}", f"{len(seen.roles)} participants", Text(listed))
    for participant in seen.participants.values():
        kids = Text("kid ", "dim").append(participant.keys[0].kid).append(f", {len(participant.keys)} keys, ", "dim")
        kids.append(f"{len(participant.certificates)} certificate", "dim")
        path = PARTICIPANT_PATH.format(number=participant.id)
        stage.call(lsp, f"GET {path}", f"{participant.name}, at {participant.base_url}", kids)
    return seen


def _print_events(events: Sequence[Record], run: Run, members: Mapping[NodeName, Membership]) -> None:
    names = {member.participant_id: run.nodes[name].organisation_id for name, member in members.items()}
    say("\nHeartbeat: both sides of every message have reported it to the registry\n", style="bold")
    table = Table.grid(padding=(0, 2, 0, 0))
    for report in events:
        event = report["body"]["event"]
        told, about = names.get(report["participant_id"], report["participant_id"]), event["recipients"][0]
        with_whom = names.get(about["roleId"], about["roleId"])
        mark = Text(PASSED, style="green") if about["responseMessage"] == "Success" else Text("-", style="red")
        table.add_row(mark, told, event["eventType"], f"with {with_whom}", Text(str(about["responseCode"]), "dim"))
    screen().print(table)
