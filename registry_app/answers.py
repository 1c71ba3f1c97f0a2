"""Builds the registry API's answers from stored rows. Only approved participants are ever shown."""

import json
from typing import Any

from sqlalchemy import Connection, Row

from registry_app.auth.tokens import public_jwk
from registry_app.store.resources import find
from registry_app.store.roles import StoredOrganisation, StoredRole, load_members, load_role
from registry_app.store.tables import NETWORKS, PRODUCTS
from shared.catalogue.bodies.v4.registry import (
    CreditProduct,
    IndexedProductNetworkParticipants,
    JsonWebKeySet,
    LenderNetworkFilter,
    NetworkParticipant,
    OrganisationDetail,
    ParticipantDetail,
    ProductNetwork,
    RoleReference,
    ServerWhitelistingItem,
)
from shared.protocol.encoding import format_timestamp


def participant_detail(role: StoredRole) -> ParticipantDetail:
    """Show a participant by itself."""
    return ParticipantDetail(
        id=str(role.id),
        **_status(role),
        **_address(role),
        kc_client_id=role.client_id,
        tls_certificates=tuple(certificate.thumbprint for certificate in role.history.current_certificates),
    )


def key_set(role: StoredRole) -> JsonWebKeySet:
    """Show the keys that a participant's messages are verified with, the first one first."""
    return JsonWebKeySet(keys=[public_jwk(key.kid, key.pem) for key in role.history.counting_keys])


def participants_of(connection: Connection, network_id: int) -> IndexedProductNetworkParticipants:
    """Show who takes part in a network."""
    by_role: dict[str, list[NetworkParticipant]] = {}
    for role in load_members(connection, network_id):
        if role.is_served:
            shown = NetworkParticipant(id=role.id, **_status(role), **_address(role))
            by_role.setdefault(role.history.role.value, []).append(shown)
    return IndexedProductNetworkParticipants.model_validate(by_role)


def credit_product(connection: Connection, row: Row[Any]) -> CreditProduct:
    """Show a product."""
    flags = {name: value for name, value in row._mapping.items() if name.startswith("is_")}
    return CreditProduct(
        name=row.name,
        product_name=row.name,
        description=row.description,
        product_description=row.description,
        derived_data_description=row.derived_data_description,
        product_created_by=_reference(connection, row.created_by),
        **flags,
    )


def lender_filter(connection: Connection, row: Row[Any]) -> LenderNetworkFilter | None:
    """Show a filter; None where its lender is not served."""
    lender = _reference(connection, row.role_id)
    if lender is None:
        return None
    return LenderNetworkFilter(
        id=row.id,
        requirement_name=row.requirement_name,
        operator=row.operator,
        value=row.value,
        product_network=_network(connection, row.network_id),
        participant_id=lender,
    )


def whitelisting_item(row: Row[Any], role: StoredRole) -> ServerWhitelistingItem:
    """Show an address that a participant calls from."""
    return ServerWhitelistingItem(
        id=row.id, ip_address=row.ip_address, port_number=row.port_number, participant_role=_role(role)
    )


def served_role(connection: Connection, participant_id: int) -> StoredRole | None:
    """Return the participant with this id, unless the registry does not show it: not approved, or offboarded."""
    role = load_role(connection, participant_id)
    return role if role is not None and role.is_served else None


def _network(connection: Connection, network_id: int) -> ProductNetwork | None:
    row = find(connection, NETWORKS, network_id)
    if row is None:
        return None
    product = find(connection, PRODUCTS, row.product_id)
    return ProductNetwork(
        id=row.id,
        product_network_name=row.name,
        product_network_description=row.description,
        participant_roles=tuple(_role(member) for member in load_members(connection, network_id) if member.is_served),
        credit_product=None if product is None else credit_product(connection, product),
        network_created_by=_reference(connection, row.created_by),
    )


def _reference(connection: Connection, participant_id: int | None) -> RoleReference | None:
    role = None if participant_id is None else served_role(connection, participant_id)
    return None if role is None else _role(role)


def _role(role: StoredRole) -> RoleReference:
    return RoleReference(
        id=role.id,
        participant_role=role.history.role,
        participant_role_status=role.status,
        is_approved=role.is_served,
        approved_by=role.approved_by,
        public_key=_first_key(role),
    )


def _status(role: StoredRole) -> dict[str, Any]:
    return {
        "participant_role": role.history.role,
        "participant_role_status": role.status,
        "is_approved": role.is_served,
        "approved": role.is_served,
        "approved_by": role.approved_by,
        "approved_on": "" if role.approved_at is None else format_timestamp(role.approved_at),
        "created_on": format_timestamp(role.history.onboarded_at),
        "updated_on": format_timestamp(role.history.updated_at),
        "participant": _organisation(role.organisation),
    }


def _address(role: StoredRole) -> dict[str, Any]:
    return {"base_url": role.history.base_url, "public_key": _first_key(role)}


def _first_key(role: StoredRole) -> str:
    first = role.history.counting_keys[0]
    return json.dumps(public_jwk(first.kid, first.pem).model_dump(), separators=(",", ":"))


def _organisation(organisation: StoredOrganisation) -> OrganisationDetail:
    return OrganisationDetail(
        id=organisation.id,
        participant_name=organisation.name,
        participant_description=organisation.description,
        participant_website=organisation.website,
        participant_email=organisation.email,
        participant_phone=organisation.phone,
        created_on=format_timestamp(organisation.created_at),
        updated_on=format_timestamp(organisation.updated_at),
    )
