"""The OpenAPI documents that the packages carry are those that the routes give today."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.openapi import FOLDERS, documents

PACKAGED = sorted(file for folder in FOLDERS for file in folder.glob("*.json"))


@pytest.fixture(scope="module")
def made() -> Mapping[Path, str]:
    return documents()


def test_the_packages_carry_every_document_and_no_other(made: Mapping[Path, str]) -> None:
    assert set(PACKAGED) == set(made)


@pytest.mark.parametrize("file", PACKAGED, ids=lambda file: file.name)
def test_a_packaged_document_is_what_the_routes_give(made: Mapping[Path, str], file: Path) -> None:
    assert file.read_text("utf-8") == made[file], "run make openapi"
