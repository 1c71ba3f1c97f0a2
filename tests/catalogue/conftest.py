"""The facts collected from the OCEN documents, for whoever has them beside the checkout."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.vectors import DOCUMENTS


@pytest.fixture(scope="session")
def documents() -> Path:
    """The folder of collected facts; it is not part of a clone."""
    if not DOCUMENTS.exists():
        pytest.skip("the facts collected from the OCEN documents are not beside this checkout")
    return DOCUMENTS


@pytest.fixture(scope="session")
def documented(documents: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What the documents say of each message, by version and name."""
    messages = json.loads((documents / "messages.json").read_text("utf-8"))
    return {(message["version"], message["name"]): message for message in messages}
