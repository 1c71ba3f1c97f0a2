"""The two members of the network that the tests of OCEN 4.0's exchange let talk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.equipment.member_pair import MemberPair, member_pair


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemberPair]:
    async with member_pair(tmp_path, monkeypatch) as pair:
        yield pair
