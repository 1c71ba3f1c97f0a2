"""`apply`: a borrower of the sandbox applies for a loan in v3, and the nodes do the rest up to the offers."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from lsp_app.borrower import Preference
from sandbox.cli.options import DATA_DIR, DataDir
from sandbox.cli.screen import columns, say
from sandbox.errors import SandboxError
from sandbox.ops_client import OpsClient
from sandbox.running import connected
from sandbox.settings import Folders, NodeName
from shared.catalogue.table import example_of, get_message
from shared.node.ids import new_id

_CREATE: Final = get_message("v3", "CreateLoanApplicationsRequest")

_PAN: Final = re.compile(r"[A-Z]{5}\d{4}[A-Z]", re.ASCII)

PATIENCE_SECONDS: Final = 60.0
"""Seconds to follow the nodes at most; they go on without us."""


def apply(
    *,
    pan: Annotated[str, typer.Option("--pan", help="The borrower's PAN; its digits choose the story.")] = "AAGCK0000Q",
    amount: Annotated[int, typer.Option("--amount", min=1, help="Rupees asked for.")] = 250_000,
    months: Annotated[int, typer.Option("--months", min=1, help="For how long.")] = 6,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="ORG", help="Lender; may be repeated.", show_default="all")
    ] = None,
    prefer: Annotated[Preference, typer.Option("--prefer", help="By what the borrower chooses.")] = Preference.APR,
    data_dir: DataDir = DATA_DIR,
) -> int:
    """Apply for a loan, and see which offers come.

    The LSP asks each lender, sends the borrower to his Account Aggregator
    and lets him choose among the offers (OCEN v3). The digits of the PAN
    decide what happens. 0000: offers at once. 1002: the borrower refuses his
    consent once. 1003: he takes two minutes for it, which `clock +2m` skips.
    2001: no offer. Exit status 0: offers came; 1: none did.

    [cyan]ocen-sandbox apply[/cyan]
    [cyan]ocen-sandbox apply --pan AAGCK1002Q --amount 50000 --months 3[/cyan]
    """
    if not _PAN.fullmatch(pan):
        raise SandboxError(f"{pan} is no PAN: write five letters, four digits and a letter, such as AAGCK0000Q")
    with connected(Folders(data_dir)) as pair:
        lsp, order_id = pair[NodeName.LSP], new_id()
        lenders = to or [known["organisation_id"] for known in lsp.participants() if known["role"] == "LENDER"]
        application = _application(pan, amount, months)
        data = {"lenders": lenders, "application": application, "preference": prefer.value}
        lsp.order(order_id, "start", data)
        say(f"Application {application['loanApplicationId']}. A slow story waits for `ocen-sandbox clock +5m`.", "dim")
        tracks = _follow(lsp, order_id, len(lenders))
        (journey,) = [record["state"] for record in lsp.records("journey") if record["state"]["id"] == order_id]
    _print_offers(tracks, journey)
    return 0 if journey["chosen"] else 1


def _application(pan: str, amount: int, months: int) -> dict[str, Any]:
    asked: dict[str, Any] = example_of(_CREATE)["loanApplications"][0]
    return {
        **asked,
        "createdDate": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "loanApplicationId": new_id(),
        "borrower": {**asked["borrower"], "primaryId": pan},
        "terms": {**asked["terms"], "requestedAmount": f"{amount}.00", "tenure": {"duration": months, "unit": "MONTH"}},
    }


def _follow(lsp: OpsClient, order_id: str, number: int) -> Sequence[Mapping[str, Any]]:
    """Print each step of the tracks as it is taken, until nothing more is asked."""
    seen: dict[str, str] = {}

    def look(ops: OpsClient) -> Sequence[Mapping[str, Any]] | None:
        tracks = [record["state"] for record in ops.records("track") if record["state"]["journey"] == order_id]
        for track in tracks:
            step = track["exchange"] if track["stage"] in ("APPLIED", "CONSENT", "OFFERS") else track["stage"]
            if step and seen.get(track["lender"]) != step:
                seen[track["lender"]] = step
                line = Text(f"{track['lender']:<10}", "bold cyan").append(
                    f"{step}  {track['outcome']}".rstrip(), "default"
                )
                say(line)
        done = [track for track in tracks if track["stage"] in ("OFFERED", "ENDED", "STOPPED")]
        return tracks if len(done) == number else None

    tracks = lsp.wait_for(look, PATIENCE_SECONDS)
    if tracks is None:
        raise SandboxError(
            f"not every lender has answered within {PATIENCE_SECONDS:.0f} s; the LSP goes on asking. A slow story "
            "wants business time: `ocen-sandbox clock +1h`; `ocen-sandbox messages` shows what comes"
        )
    return tracks


def _print_offers(tracks: Sequence[Mapping[str, Any]], journey: Mapping[str, Any]) -> None:
    offers = [offer for track in tracks for offer in track["offers"]]
    if not offers:
        say("\nNo offer.", style="yellow")
        return
    rows = [
        [offer["lender"], f"{offer['apr']} %", offer["instalment"], offer["valid_till"], offer["id"]]
        for offer in offers
    ]
    say()
    say(columns([["lender", "APR %", "instalment", "valid till", "offer"], *rows]))
    chosen = journey["chosen"]
    say(f"\nThe borrower takes {chosen['id']} of {chosen['lender']}. In full: ocen-sandbox messages")
