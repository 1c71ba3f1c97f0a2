"""Members of the network that are suspended or offboarded: tokens, look-ups and what nodes have kept of them end."""

from collections.abc import Iterator

import httpx
import pytest

from sandbox.errors import SandboxError
from shared.protocol.problems import SUCCESS
from tests.live.forger import Answer, CallForger, Forger, calling_as
from tests.live.network import TRIGGER, Network
from tests.live.pair import ACME, LSP, SECOND_BANK
from tests.live.v4_letters import call, key_of, look_up, token_of, written
from tests.live.waiting import eventually

ACME_ID = ACME.organisation_id


@pytest.fixture(scope="module")
def acme(network: Network) -> Iterator[Forger]:
    """A caller of the lender with the certificate of a further LSP."""
    with calling_as(ACME_ID, network, network.lender, kind=CallForger) as forger:
        yield forger


def post(network: Network, acme: Forger, token: str) -> Answer:
    return acme.send(call(written(network, ACME_ID), key_of(network, ACME_ID), token))


def is_shut_out(network: Network, acme: Forger, token: str) -> bool:
    """Whether the lender refuses a call because its sender takes no part any more."""
    entries = network.lender.books.entries()
    answer = post(network, acme, token)
    if answer.error == SUCCESS:
        return False
    assert (answer.status, answer.error) == (403, "AUTH1004")
    assert network.lender.books.entries() <= entries
    check = answer.ack["detail"]["check"]
    if check == "both_are_in_the_product_network":  # whose members may have been looked up again before the sender was
        return False
    assert check == "token_holder_takes_part"
    return True


@pytest.mark.check("OCEN-TOK-05")
@pytest.mark.parametrize(("step", "status"), [("suspend", 400), ("offboard", 401)])
def test_a_member_that_leaves_is_shut_out_within_the_cache_time_though_its_token_has_not_expired(
    network: Network, acme: Forger, step: str, status: int
) -> None:
    member = network.admit(ACME_ID)
    token, others = token_of(network, ACME_ID), token_of(network, LSP)
    eventually(lambda: post(network, acme, token).error == SUCCESS)

    network.registry.admin.decide(member.participant_id, step, reason="the contract has ended")

    with pytest.raises(httpx.HTTPStatusError) as refusal:
        token_of(network, ACME_ID)
    assert refusal.value.response.status_code == status
    assert look_up(network, network.members[LSP].participant_id, token) == 401
    assert look_up(network, member.participant_id, others) == 404
    eventually(lambda: is_shut_out(network, acme, token))
    assert is_shut_out(network, acme, token)


def test_who_was_suspended_takes_part_again_once_it_is_approved(network: Network, acme: Forger) -> None:
    member = network.admit(ACME_ID)
    token, admin = token_of(network, ACME_ID), network.registry.admin
    admin.decide(member.participant_id, "suspend", reason="a question is open")
    eventually(lambda: is_shut_out(network, acme, token))

    admin.decide(member.participant_id, "approve", approved_by="SRO")

    eventually(lambda: post(network, acme, token).error == SUCCESS)


def test_nothing_is_sent_to_a_member_that_has_left(network: Network) -> None:
    bank = network.admit(SECOND_BANK.organisation_id).participant_id
    content = network.content(TRIGGER)
    network.lsp.ops.send(TRIGGER, bank, content)

    network.registry.admin.decide(bank, "offboard", reason="the contract has ended")

    def refusal() -> str:
        try:
            network.lsp.ops.send(TRIGGER, bank, content)
        except SandboxError as error:
            return str(error)
        return ""

    assert f"{bank} is not in the directory" in eventually(refusal)
