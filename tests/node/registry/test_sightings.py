"""The keys that the registry has named stay known, with the times of the look-ups, on each dialect."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from shared.node.registry.looked_up_keys import looked_up_keys, note_keys
from shared.node.tables import create_tables
from shared.protocol.participants import KeyStatus
from tests.equipment.clock import NOW
from tests.equipment.v4_messages import AGENT, loan_agent, registered_lender

LATER = NOW + timedelta(hours=1)


def test_a_key_has_the_time_of_its_first_and_its_last_look_up(engine: Engine) -> None:
    create_tables(engine)
    agent = loan_agent()
    with engine.begin() as connection:
        for moment in (NOW, LATER):
            note_keys(connection, agent, moment)
        (key,) = looked_up_keys(connection, AGENT)
    assert (key.kid, key.algorithm, key.pem) == (agent.keys[0].kid, "RS256", agent.keys[0].verifier.to_pem())
    assert key.thumbprint == agent.keys[0].verifier.thumbprint()
    assert [event.at for event in key.events] == [NOW]
    assert key.events[0].reason == "named by the registry, until 2031-03-04T06:06:07.890Z at least"


def test_a_key_counts_from_the_look_up_on_that_a_message_has_led_to(engine: Engine) -> None:
    create_tables(engine)
    with engine.begin() as connection:
        note_keys(connection, loan_agent(), NOW)
        (key,) = looked_up_keys(connection, AGENT)
    moments = [NOW - timedelta(minutes=1), NOW - timedelta(seconds=1), LATER]
    assert [key.status_at(moment) for moment in moments] == [None, KeyStatus.ACTIVE, KeyStatus.ACTIVE]


def test_a_kid_that_is_given_to_another_key_has_both_the_latest_first(engine: Engine) -> None:
    create_tables(engine)
    agent, other = loan_agent(), registered_lender().keys[0]
    again = replace(agent, keys=(replace(other, kid=agent.keys[0].kid),))
    with engine.begin() as connection:
        note_keys(connection, agent, NOW)
        note_keys(connection, again, LATER)
        found = looked_up_keys(connection, AGENT)
    assert [key.thumbprint for key in found] == [other.verifier.thumbprint(), agent.keys[0].verifier.thumbprint()]
    assert {key.kid for key in found} == {agent.keys[0].kid}
