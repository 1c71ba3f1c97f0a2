"""docs/security.md names only code and tests that are there, and passes over no sentence of its documents."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
SEEDS = ROOT.parent / "shared" / "seeds"
"""The collected OCEN documents; not part of a clone, so whoever reads them skips where they are absent."""

TAMPERING = "shared/protocol/tampering/"
SHORTEST_WRAPPED_LINE = 80
"""Lines of a seed's text that are at least so long go on in the next one; shorter ones end where they end."""


class Document(NamedTuple):
    """A security document: the prefix of its rows, its part of the page, its seed, and about how long it is."""

    profile: str
    heading: str
    seed: str
    rows: int
    sentences: int

    @property
    def part(self) -> str:
        """What the page says of it."""
        return PAGE.partition(f"\n## {self.heading}\n")[2].partition("\n## ")[0]

    def text(self) -> str:
        """The document, of its headings and pictures the words only; skips where the seed is absent."""
        found = sorted(SEEDS.glob(self.seed))
        if not found:
            pytest.skip("the collected OCEN documents are not beside this checkout")
        return re.sub(r"^#+ |!\[(.+?)\]\(.+\)", r"\1", found[0].read_text("utf-8"), flags=re.MULTILINE)


DOCUMENTS = (
    Document("V3", "OCEN v3: Overview of Security", "002_*.txt", rows=40, sentences=80),
    Document("V4", "OCEN 4.0: Security", "000_*.txt", rows=15, sentences=25),
)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=[document.profile for document in DOCUMENTS])


class Row(NamedTuple):
    """A row of the page: its number, the sentences that it quotes, our rule, and what it refers to."""

    number: str
    quotes: list[str]
    rule: str
    code: list[str]
    tests: list[str]


def rows(profile: str) -> list[Row]:
    """The rows of the tables for a profile, a regular expression such as V3."""
    found = re.findall(rf"^\| ({profile}-\d+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    return [
        Row(number, _entries(quotes), rule, _entries(code), _entries(tests))
        for number, quotes, rule, code, tests in found
    ]


def _entries(cell: str) -> list[str]:
    return [entry.strip("`") for entry in cell.split("<br>")]


ROWS = rows(r"V\d")


@cache
def names_in(file: str) -> frozenset[str]:
    """What a file defines: functions, classes, constants, and `Class.member` of what its classes define."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    members = [
        f"{node.name}.{name}" for node in tree.body if isinstance(node, ast.ClassDef) for name in _defined(node.body)
    ]
    return frozenset([*_defined(tree.body), *members])


def _defined(body: list[ast.stmt]) -> list[str]:
    names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return names + [target.id for target in targets if isinstance(target, ast.Name)]


def is_there(reference: str) -> bool:
    file, separator, name = reference.partition("::")
    return bool(separator) and (ROOT / file).is_file() and name in names_in(file)


@cache
def spoilers(file: str) -> frozenset[str]:
    """The functions of a file that are rows of the tampering table, which their decorator makes them."""
    body = ast.parse((ROOT / file).read_text("utf-8")).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    return frozenset(one.name for one in functions if "caught_by" in ast.unparse(one.decorator_list[0]))


@each_document
def test_rows_are_numbered_one_after_another_and_no_line_of_a_table_is_left_out(document: Document) -> None:
    profile, found = document.profile, rows(document.profile)
    assert [row.number for row in found] == [f"{profile}-{number:02d}" for number in range(1, len(found) + 1)]
    assert len(found) == len(re.findall(rf"^\| {profile}-", document.part, re.MULTILINE))
    assert len(found) > document.rows


@each_document
def test_no_sentence_is_quoted_twice(document: Document) -> None:
    quotes = quotes_of(document) + said_to_ask_for_nothing(document)
    assert len(quotes) == len(set(quotes))


def test_all_code_that_a_row_names_is_there() -> None:
    named = [reference for row in ROWS for reference in row.code]
    assert [reference for reference in named if not is_there(reference)] == []
    assert all(reference.startswith(("shared/", "lender_app/", "lsp_app/", "registry_app/")) for reference in named)


def test_every_test_that_a_row_names_is_there() -> None:
    for reference in (reference for row in ROWS for reference in row.tests):
        file, _, name = reference.partition("::")
        if file.startswith(TAMPERING):
            assert name in spoilers(file), reference
        else:
            assert is_there(reference), reference
            assert file.startswith("tests/"), reference
            assert name.startswith("test_"), reference


def quotes_of(document: Document) -> list[str]:
    """The sentences of the document that have a row."""
    return [quote for row in rows(document.profile) for quote in row.quotes]


def said_to_ask_for_nothing(document: Document) -> list[str]:
    """The sentences of the document that the page lists without a rule."""
    return re.findall(r"^- (.+)$", document.part.partition("### Sentences that ask for nothing")[2], re.MULTILINE)


def _plain(text: str) -> str:
    return " ".join(text.split())


def sentences(document: str) -> list[str]:
    """The document in its sentences, list items, headings and fields; the lines of a JSON text are none."""
    text = re.sub(r"\n\s*(?:\d|[a-z])\.\s", "\n\n", document)
    lines = [line if len(line) >= SHORTEST_WRAPPED_LINE else f"{line}\n" for line in text.splitlines()]
    blocks = map(_plain, re.split(r"\n\s*\n", "\n".join(lines)))
    parts = [part for block in blocks for part in re.split(r"(?<=[.?]) (?=[A-Z0-9“\"])", block)]
    return [part for part in parts if re.search(r"[A-Za-z]{2,}[ -]+[A-Za-z]{2,}|://", part)]


@each_document
def test_every_quotation_is_in_the_document_word_for_word(document: Document) -> None:
    text = _plain(document.text())
    assert [quote for quote in quotes_of(document) + said_to_ask_for_nothing(document) if quote not in text] == []


@each_document
def test_every_sentence_of_the_document_has_a_row_or_is_said_to_ask_for_nothing(document: Document) -> None:
    quotes, found = quotes_of(document), sentences(document.text())
    unquoted = [sentence for sentence in found if not any(quote in sentence for quote in quotes)]
    assert unquoted == said_to_ask_for_nothing(document)
    assert len(found) > document.sentences
