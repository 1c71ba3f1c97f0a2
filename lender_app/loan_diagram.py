"""The diagram of a loan's states, drawn from the transition table.

`python -m lender_app.loan_diagram > docs/loan-states.md` writes it anew.
"""

from collections.abc import Iterator

from lender_app.loan import Axis, State
from lender_app.transitions import EDGES, Edge

_HEAD = """# The states of a loan

Drawn from `lender_app/transitions.py` by `python -m lender_app.loan_diagram > docs/loan-states.md`; a test compares
them. An arrow carries the event, in brackets the guard of `lender_app/guards.py`, and the row of the table. Events
without a mark are messages; `f` is a fact from outside or a decision, `t` a timer, `o` the operator, `x` another axis,
`d` a delivery that failed. Steps that leave a state as it was are not drawn.
"""


def loan_diagram() -> str:
    """Return docs/loan-states.md: a Mermaid state diagram for each axis."""
    return "\n".join([_HEAD, *(line for axis in Axis for line in _axis_lines(axis))])


def _axis_lines(axis: Axis) -> Iterator[str]:
    yield f"## {axis.label.capitalize()}\n"
    yield f"```mermaid\nstateDiagram-v2\n    [*] --> {next(iter(axis.states))}"
    arrows: dict[tuple[State, State], list[str]] = {}
    moving = [(edge, edge.target) for edge in EDGES if edge.axis is axis and edge.target is not None]
    for edge, target in moving:
        for source in [state for state in axis.states if state in edge.sources and state is not target]:
            arrows.setdefault((source, target), []).append(_label(edge))
    for (source, to), labels in arrows.items():
        yield f"    {source} --> {to} : {'<br/>'.join(labels)}"
    yield "```\n"


def _label(edge: Edge) -> str:
    # A colon ends a label in Mermaid, so the mark of an event is written with a space.
    guard = f" [{edge.guard.__name__.replace('_', ' ')}]" if edge.guard else ""
    return f"{edge.event.replace(':', ' ')}{guard} ({edge.name})"


if __name__ == "__main__":
    print(loan_diagram(), end="")
