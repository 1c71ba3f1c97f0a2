"""Which conformance checks the tests cover: those of the tampering rows, and those that `@pytest.mark.check` names."""

import re
from pathlib import Path

from shared.protocol.tampering import TAMPERINGS, V4_TAMPERINGS

FAMILIES = {"TLS": 9, "JWS": 26, "RPL": 7, "IDM": 2, "IDN": 3, "ASY": 12, "TOK": 7, "DET": 5, "ROT": 6, "ERR": 3}
"""So many checks there are of each family."""

COVERED = ("TLS", "IDN", "TOK", "DET", "ROT")
"""Families of which every check has a test."""


def checks_of(*families: str) -> set[str]:
    return {f"OCEN-{family}-{number:02}" for family in families for number in range(1, FAMILIES[family] + 1)}


def marked_checks() -> set[str]:
    files = Path(__file__).parent.rglob("test_*.py")
    marks = re.findall(r"mark\.check\(([^)]*)\)", "\n".join(file.read_text("utf-8") for file in files))
    return {name for mark in marks for name in re.findall(r'"([^"]*)"', mark)}


def shown_by_rows() -> set[str]:
    return {name for row in (*TAMPERINGS, *V4_TAMPERINGS) for name in row.requirements}


def test_every_check_of_the_covered_families_has_a_test() -> None:
    assert checks_of(*COVERED) - marked_checks() - shown_by_rows() == set()


def test_no_test_names_a_check_that_there_is_not() -> None:
    assert (marked_checks() | shown_by_rows()) - checks_of(*FAMILIES) == set()
