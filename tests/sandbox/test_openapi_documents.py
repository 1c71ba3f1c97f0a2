"""The OpenAPI documents that the packages carry are those that the routes give today."""

import pytest

from sandbox.openapi import FOLDERS, documents

MADE = documents()


@pytest.mark.parametrize("name", sorted(file.name for file in MADE))
def test_a_packaged_document_is_what_the_routes_give(name: str) -> None:
    ((file, text),) = ((file, text) for file, text in MADE.items() if file.name == name)
    assert file.read_text("utf-8") == text, "run make openapi"


def test_no_document_is_packaged_that_nobody_makes() -> None:
    assert {file for folder in FOLDERS for file in folder.glob("*.json")} == set(MADE)
