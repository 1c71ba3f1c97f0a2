"""A row of the tampering table, and how rows are written down: as functions whose docstrings describe them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from shared.protocol.problems import Problem
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.verification import Check

G = TypeVar("G", bound=Good)
Good_contra = TypeVar("Good_contra", bound=Good, contravariant=True)
"""What a row can spoil; a row for every `Good` is one for each kind of it."""

_NO_WORD = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Tampering(Generic[Good_contra]):
    """One way to spoil a good message.

    Attributes:
        name: stable; the name of its function, and of the case where a function has several.
        text: what is done, in one sentence.
        caught_by: the check that has to refuse it.
        problem: the code of the refusal, that of the check or a more exact one.
        spoil: makes the spoiled message.
        after_the_good_one: whether the good message has to be sent, and accepted, before it.
    """

    name: str
    text: str
    caught_by: Check
    problem: Problem
    spoil: Callable[[Good_contra], OutgoingMessage]
    after_the_good_one: bool = False

    def messages(self, good: Good_contra) -> tuple[OutgoingMessage, ...]:
        """Return what to send, in order: the last is the spoiled one, any before it must be accepted."""
        spoiled = self.spoil(good)
        return (good.send(), spoiled) if self.after_the_good_one else (spoiled,)


class Rows(list[Tampering[G]], Generic[G]):
    """Some rows of the table, in the order in which their functions are written.

    Rows of `Good` spoil what every profile has, and stand in the table of each.
    """

    def caught_by(
        self, check: Check, problem: Problem | None = None, *, after_the_good_one: bool = False
    ) -> Callable[[Callable[[G], OutgoingMessage]], Callable[[G], OutgoingMessage]]:
        """Make a row of a function; the problem is the check's own unless a more exact one is given."""

        def add(spoil: Callable[[G], OutgoingMessage]) -> Callable[[G], OutgoingMessage]:
            text = " ".join((spoil.__doc__ or "").split())
            row = Tampering(spoil.__name__, text, check, problem or check.problem, spoil, after_the_good_one)
            self.append(row)
            return spoil

        return add

    def each_caught_by(
        self, check: Check, *cases: str, problem: Problem | None = None
    ) -> Callable[[Callable[[G, str], OutgoingMessage]], Callable[[G, str], OutgoingMessage]]:
        """Make a row per case of a function that takes the case; `{}` in its docstring stands for the case."""

        def add(spoil: Callable[[G, str], OutgoingMessage]) -> Callable[[G, str], OutgoingMessage]:
            text = " ".join((spoil.__doc__ or "").split())
            self.extend(
                Tampering(
                    f"{spoil.__name__}_{_NO_WORD.sub('_', case)}",
                    text.format(case),
                    check,
                    problem or check.problem,
                    partial(_spoil_case, spoil, case),
                )
                for case in cases
            )
            return spoil

        return add


def _spoil_case(spoil: Callable[[G, str], OutgoingMessage], case: str, good: G) -> OutgoingMessage:
    return spoil(good, case)
