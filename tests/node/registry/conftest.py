"""Fixtures of the tests of a member of the network: a clock that stands, a scripted registry, and the member."""

from collections.abc import AsyncIterator

import pytest

from shared.node.registry.member import Member
from shared.node.settings import RegistryMembership
from tests.equipment.clock import FrozenClock
from tests.equipment.parties import identity_of, lsp, lsp_key
from tests.equipment.scripted_registry import SECRET, URL, ScriptedRegistry, rs256


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def registry(clock: FrozenClock) -> ScriptedRegistry:
    """A registry that serves ourselves, 3050, and a lender, 3051."""
    registry = ScriptedRegistry(clock)
    registry.enrol("3050", "LOAN_AGENT", rs256("lsp"))
    registry.enrol("3051", "LENDER", rs256("LENDER01"))
    return registry


@pytest.fixture
async def member(registry: ScriptedRegistry, clock: FrozenClock) -> AsyncIterator[Member]:
    membership = RegistryMembership(URL, "3050", "client-1", SECRET)
    member = Member(membership, identity_of(lsp(), lsp_key()), registry.transport, clock)
    yield member
    await member.aclose()
