"""The acts of the demo, one for each version of OCEN: what is played, and how it is shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rich.table import Table
from rich.text import Text

from sandbox.cli.diagram import GIST
from sandbox.cli.screen import PASSED, facts, say, screen
from sandbox.cli.stage import Stage
from sandbox.demo import Demo, Scene, Sms
from sandbox.demo_v4 import DemoV4, demand_members, heartbeat_of, new_application_id
from sandbox.following import Passage, Record
from sandbox.network import Membership, read_membership
from sandbox.running import Run, connected, connected_registry
from sandbox.settings import LENDERS, Folders, NodeName
from sandbox.spoiled import Refusal, send_spoiled, send_spoiled_v4
from sandbox.visit import Visit, visit
from shared.node.clock import SystemClock
from shared.node.registry.lookup import NETWORKS, ROLES
from shared.node.registry.service import TOKEN_PATH
from shared.protocol.tokens import TOKEN_ALGORITHM

_CHANGED: Final = "The same request, changed by somebody after the LSP has signed it"


class Played(NamedTuple):
    """What was played: every message that went through, the refusal, and what to look at next, command and note."""

    passages: Sequence[Passage]
    refusal: Refusal
    next_commands: Mapping[str, str]


def play_v3(folders: Folders, run: Run, *, every_check: bool) -> Played:
    """Show a loan acceptance of OCEN v3, and a refusal.

    Raises:
        DemoFailedError: a step does not hold.
        SandboxError: a node does not answer, or does not send.
    """
    stage, lsp, lender = Stage(every_check=every_check), *_names(run, NodeName.LSP, NodeName.LENDER)
    with connected(folders) as pair:
        stage.open("Loan acceptance: the borrower confirms by an OTP that the lender sends", lsp, lender)
        passages = _show(stage, Demo(pair).scenes())
        refusal = send_spoiled(run, pair[NodeName.LENDER], SystemClock())
    stage.open(_CHANGED, lsp, lender)
    stage.refusal(refusal)
    return Played(
        passages,
        refusal,
        {
            f"messages {passages[0].request_id}": "the first exchange in full",
            f"messages {refusal.request_id}": "the refusal in full",
            "send TriggerLoanAcceptanceRequest": "one more message",
            "kit --org ACME --role LSP --out acme/": "keys and clients for your own LSP",
        },
    )


def play_v4(folders: Folders, run: Run, *, every_check: bool) -> Played:
    """Show a loan application of OCEN 4.0 from the token to the heartbeat, and a refusal.

    Raises:
        DemoFailedError: a step does not hold.
        SandboxError: a node or the registry does not answer, or does not send.
    """
    members = _standing_members(folders, run)
    lenders = [name for name in LENDERS if name in members]
    stage, lsp, lender = Stage(every_check=every_check, told=GIST), *_names(run, NodeName.LSP, NodeName.LENDER)
    seen = _visit_registry(run, members, lenders, stage)
    with connected(folders) as pair:
        demo = DemoV4(pair, members, lenders, new_application_id())
        passages: list[Passage] = []
        for name, request_id in demo.apply().items():
            (asked,), of = _names(run, name), members[name].participant_id
            stage.open(f"Loan application to {asked}, participant {of}", lsp, asked)
            passages += _show(stage, demo.created(name, request_id))
        if len(lenders) > 1:
            _print_copies(passages)
        stage.open("Loan acceptance: the borrower confirms by an OTP that the lender sends", lsp, lender)
        passages += _show(stage, demo.accepted())
        receiver = seen.participants[members[NodeName.LENDER].participant_id]
        refusal = send_spoiled_v4(seen, receiver, pair[NodeName.LENDER], SystemClock())
    stage.open(_CHANGED.replace("The same", "Another"), lsp, lender)
    stage.refusal(refusal)
    with connected_registry(folders) as registry:
        _print_events(heartbeat_of(registry, passages, demo.loan_application_id), run, members)
    return Played(
        passages,
        refusal,
        {
            f"messages {passages[0].request_id}": "the first exchange in full",
            f"messages {refusal.request_id}": "the refusal in full",
            "send v4/CreateLoanApplicationsRequest": "one more message",
            "registry list": "who takes part in the network",
            "registry events": "what they have reported",
        },
    )


def _standing_members(folders: Folders, run: Run) -> Mapping[NodeName, Membership]:
    nodes = {name: node for name, node in run.nodes.items() if name is not NodeName.REGISTRY}
    members: Mapping[NodeName, Membership] = {
        name: read_membership(run.certs / node.organisation_id) for name, node in nodes.items()
    }
    with connected_registry(folders) as registry:
        demand_members(registry, run, members)
    return members


def _names(run: Run, *nodes: NodeName) -> list[str]:
    return [run.nodes[name].organisation_id for name in nodes]


def _show(stage: Stage, scenes: Iterable[Scene]) -> list[Passage]:
    passages = []
    for scene in scenes:
        if isinstance(scene, Sms):
            stage.sms(scene)
        else:
            passages.append(scene)
            stage.passage(scene)
    return passages


def _visit_registry(
    run: Run, members: Mapping[NodeName, Membership], lenders: Sequence[NodeName], stage: Stage
) -> Visit:
    """Do what the LSP's node does before its first message, and show it."""
    (lsp,), registry = _names(run, NodeName.LSP), run.nodes[NodeName.REGISTRY]
    sought = frozenset(members[name].participant_id for name in lenders)
    seen = visit(run.certs / lsp, registry.url, sought, SystemClock())
    stage.open("Token and look-up: whom the network knows, and how they are reached", lsp, "Registry")
    claims, hours = seen.claims, (seen.claims["exp"] - seen.claims["iat"]) / 3600
    said = Text("participantId ", "dim").append(f"{claims['participantId']}").append(", iss ", "dim")
    said.append(f"{claims['iss']}").append(", verified with the keys of the Auth Service", "dim")
    token = f"access token, {TOKEN_ALGORITHM}, for {hours:.0f} hours"
    stage.call(lsp, f"POST {TOKEN_PATH}", token, said)
    network = f"{NETWORKS}/{seen.member.product_network_id}/participants"
    listed = ", ".join(f"{role} {one}" for one, role in sorted(seen.roles.items(), key=lambda item: item[::-1]))
    stage.call(lsp, f"GET {network}", f"{len(seen.roles)} participants", Text(listed))
    for one in seen.participants.values():
        kids = Text("kid ", "dim").append(one.keys[0].kid).append(f", {len(one.keys)} keys, ", "dim")
        kids.append(f"{len(one.certificates)} certificate", "dim")
        stage.call(lsp, f"GET {ROLES}/{one.organisation_id}", f"{one.name}, at {one.base_url}", kids)
    return seen


def _print_copies(passages: Sequence[Passage]) -> None:
    say("\nThe same application, in a message of its own for each lender\n", style="bold")
    for step in passages[::2]:
        signature = step.signature.rpartition(".")[2]
        rows = [
            ("requestId", step.request_id),
            ("traceId", step.content["metadata"]["traceId"]),
            ("signature", f"{signature[:32]}..."),
        ]
        say(Text(step.receiver, style="bold cyan"))
        say(facts(rows, indent=2))


def _print_events(events: Sequence[Record], run: Run, members: Mapping[NodeName, Membership]) -> None:
    names = {member.participant_id: run.nodes[name].organisation_id for name, member in members.items()}
    say("\nHeartbeat: both sides of every message have reported it to the registry\n", style="bold")
    table = Table.grid(padding=(0, 2, 0, 0))
    for one in events:
        event = one["body"]["event"]
        told, about = names.get(one["participant_id"], one["participant_id"]), event["recipients"][0]
        with_whom = names.get(about["roleId"], about["roleId"])
        mark = Text(PASSED, style="green") if about["responseMessage"] == "Success" else Text("-", style="red")
        table.add_row(mark, told, event["eventType"], f"with {with_whom}", Text(str(about["responseCode"]), "dim"))
    screen().print(table)
