"""Products, product networks, whitelisting items and lender network filters in the tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select

from registry_app.store.roles import demand_participant, insert_row
from registry_app.store.tables import FILTERS, MEMBERS, NETWORKS, PRODUCTS, WHITELISTING_ITEMS
from shared.node.onboarding.record import MOST_ADDRESSES, OnboardingError, TakenError, UnknownError
from shared.protocol.messages import Role


def find(connection: Connection, table: Table, number: int) -> Row[Any] | None:
    """Return a row by its number."""
    return connection.execute(select(table).where(table.c.id == number)).one_or_none()


def demand(connection: Connection, table: Table, number: int) -> Row[Any]:
    """Return a row by its number.

    Raises:
        UnknownError: there is none.
    """
    row = find(connection, table, number)
    if row is None:
        raise UnknownError(f"{table.name}: there is no {number}; list them to see what there is")
    return row


def list_rows(connection: Connection, table: Table, **columns: int | None) -> Sequence[Row[Any]]:
    """Return the rows that have these values (None does not matter), in the order of their numbers."""
    conditions = [table.c[name] == value for name, value in columns.items() if value is not None]
    return connection.execute(select(table).where(*conditions).order_by(table.c.id)).all()


def create(connection: Connection, table: Table, columns: Mapping[str, Any]) -> Row[Any]:
    """Create a row, once what it refers to is there.

    Raises:
        UnknownError: it refers to something that is not there.
        OnboardingError, TakenError: as `_check_filter` and `_check_address` say.
    """
    if columns.get("product_id") is not None:
        demand(connection, PRODUCTS, columns["product_id"])
    if columns.get("network_id") is not None:
        demand(connection, NETWORKS, columns["network_id"])
    for participant_id in (columns.get("created_by"), columns.get("role_id")):
        if participant_id is not None:
            demand_participant(connection, participant_id)
    if table is FILTERS:
        _check_filter(connection, columns["role_id"])
    if table is WHITELISTING_ITEMS:
        _check_address(connection, columns)
    return demand(connection, table, insert_row(connection, table, columns))


def remove(connection: Connection, table: Table, number: int) -> None:
    """Remove a row; a network goes with its memberships and filters.

    Raises:
        UnknownError: there is none.
        TakenError: it is a product that a network is made for.
    """
    demand(connection, table, number)
    if table is PRODUCTS and (networks := list_rows(connection, NETWORKS, product_id=number)):
        raise TakenError(f"product {number} has the network {networks[0].id}: remove that first")
    if table is NETWORKS:
        for dependent in (MEMBERS, FILTERS):
            connection.execute(delete(dependent).where(dependent.c.network_id == number))
    connection.execute(delete(table).where(table.c.id == number))


def members_of(connection: Connection, network_id: int) -> list[int]:
    """Return the participants of a network, served or not, in the order of their ids."""
    of_network = select(MEMBERS.c.role_id).where(MEMBERS.c.network_id == network_id)
    return list(connection.execute(of_network.order_by(MEMBERS.c.role_id)).scalars())


def add_member(connection: Connection, network_id: int, participant_id: int) -> None:
    """Add a participant to a network; a repetition changes nothing.

    Raises:
        UnknownError: there is no such network or participant.
    """
    demand(connection, NETWORKS, network_id)
    demand_participant(connection, participant_id)
    membership = (MEMBERS.c.network_id == network_id, MEMBERS.c.role_id == participant_id)
    if connection.execute(select(MEMBERS.c.role_id).where(*membership)).first() is None:
        connection.execute(insert(MEMBERS).values(network_id=network_id, role_id=participant_id))


def remove_member(connection: Connection, network_id: int, participant_id: int) -> None:
    """Remove a participant from a network.

    Raises:
        UnknownError: there is no such network, or the participant is not in it.
    """
    demand(connection, NETWORKS, network_id)
    membership = (MEMBERS.c.network_id == network_id, MEMBERS.c.role_id == participant_id)
    if not connection.execute(delete(MEMBERS).where(*membership)).rowcount:
        raise UnknownError(f"participant {participant_id} is not in network {network_id}")


def _check_filter(connection: Connection, participant_id: int) -> None:
    role = demand_participant(connection, participant_id).history.role
    if role is not Role.LENDER:
        raise OnboardingError(f"participant_id: {participant_id} is {role}: only a LENDER filters")


def _check_address(connection: Connection, columns: Mapping[str, Any]) -> None:
    listed = list_rows(connection, WHITELISTING_ITEMS, role_id=columns["role_id"])
    if len(listed) >= MOST_ADDRESSES:
        raise TakenError(f"participant {columns['role_id']} has {MOST_ADDRESSES} addresses already: remove one first")
    if any((item.ip_address, item.port_number) == (columns["ip_address"], columns["port_number"]) for item in listed):
        raise TakenError(f"ip_address: {columns['ip_address']} is listed already")
