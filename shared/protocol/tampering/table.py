"""A row of the tampering table, and how rows are written down: as functions whose docstrings describe them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from shared.protocol.problems import Problem
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.verification import AnyCheck

G = TypeVar("G", bound=Good)
Good_contra = TypeVar("Good_contra", bound=Good, contravariant=True)
"""What a row can tamper with; a row for every `Good` is one for each kind of it."""

_NO_WORD = re.compile(r"\W+")

_V3_ALONE = tuple(f"OCEN-JWS-{number}" for number in ("03", "07", "09", "14", "15", "17", "20"))
_V4_ALONE = ("OCEN-TOK-", "OCEN-DET-")
"""How the requirements begin that the conformance catalogue makes of one version only."""


@dataclass(frozen=True, slots=True)
class Tampering(Generic[Good_contra]):
    """One way to tamper with a good message of one version.

    Attributes:
        name: stable; the name of its function, and of the case where a function has several.
        text: what is done, in one sentence.
        version: the version of OCEN of the good message.
        caught_by: the check that has to refuse it.
        problem: the code of the refusal, that of the check or a more exact one.
        tamper: makes the tampered message.
        after_the_good_one: whether the good message has to be sent, and accepted, before it.
        requirements: the checks of the OCEN conformance catalogue that it shows, such as OCEN-JWS-01.
    """

    name: str
    text: str
    version: str
    caught_by: AnyCheck
    problem: Problem
    tamper: Callable[[Good_contra], OutgoingMessage]
    after_the_good_one: bool = False
    requirements: tuple[str, ...] = ()

    def messages(self, good: Good_contra) -> tuple[OutgoingMessage, ...]:
        """Return what to send, in order: the last is the tampered one, any before it must be accepted."""
        tampered = self.tamper(good)
        return (good.send(), tampered) if self.after_the_good_one else (tampered,)


class Rows(list[Tampering[G]], Generic[G]):
    """Some rows of the table, in the order in which their functions are written.

    A function gives one row for each version for which it names the check that catches it; `both` names the same one
    for both versions. `requirement` names the conformance checks that the rows show, with spaces between them.
    """

    def caught_by(
        self,
        *,
        both: AnyCheck | None = None,
        v3: AnyCheck | None = None,
        v4: AnyCheck | None = None,
        problem: Problem | None = None,
        requirement: str = "",
        after_the_good_one: bool = False,
    ) -> Callable[[Callable[[G], OutgoingMessage]], Callable[[G], OutgoingMessage]]:
        """Make rows of a function; the problem is the check's own unless a more exact one is given."""

        def add(tamper: Callable[[G], OutgoingMessage]) -> Callable[[G], OutgoingMessage]:
            for version, check in _given(v3 or both, v4 or both):
                code, shown = problem or check.problem, _requirements(requirement, version)
                name, text = tamper.__name__, _sentence(tamper)
                self.append(Tampering(name, text, version, check, code, tamper, after_the_good_one, shown))
            return tamper

        return add

    def each_caught_by(
        self,
        *cases: str,
        both: AnyCheck | None = None,
        v3: AnyCheck | None = None,
        v4: AnyCheck | None = None,
        problem: Problem | None = None,
        requirement: str = "",
    ) -> Callable[[Callable[[G, str], OutgoingMessage]], Callable[[G, str], OutgoingMessage]]:
        """Make rows for each case of a function that takes the case; `{}` in its docstring stands for the case."""

        def add(tamper: Callable[[G, str], OutgoingMessage]) -> Callable[[G, str], OutgoingMessage]:
            for version, check in _given(v3 or both, v4 or both):
                code, shown = problem or check.problem, _requirements(requirement, version)
                for case in cases:
                    name, text = f"{tamper.__name__}_{_NO_WORD.sub('_', case)}", _sentence(tamper).format(case)
                    tamper_case = partial(_tamper_case, tamper, case)
                    self.append(Tampering(name, text, version, check, code, tamper_case, requirements=shown))
            return tamper

        return add


def _given(v3: AnyCheck | None, v4: AnyCheck | None) -> Sequence[tuple[str, AnyCheck]]:
    return [(version, check) for version, check in (("v3", v3), ("v4", v4)) if check is not None]


def _requirements(text: str, version: str) -> tuple[str, ...]:
    others = _V4_ALONE if version == "v3" else _V3_ALONE
    return tuple(name for name in text.split() if not name.startswith(others))


def _sentence(tamper: Callable[..., OutgoingMessage]) -> str:
    return " ".join((tamper.__doc__ or "").split())


def _tamper_case(tamper: Callable[[G, str], OutgoingMessage], case: str, good: G) -> OutgoingMessage:
    return tamper(good, case)
