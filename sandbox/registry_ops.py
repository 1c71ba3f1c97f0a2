"""A client of the operator plane of the registry of OCEN 4.0."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.ops_client import OperatorPlane

PRODUCT: Final = "Working capital"
NETWORK: Final = "Sandbox network"


class RegistryOps(OperatorPlane):
    """Asks the registry's operator plane.

    Raises (all methods): SandboxError when it does not answer or says no; its own sentence is passed on.
    """

    def participant(self, participant_id: str) -> dict[str, Any] | None:
        """Return a participant, offboarded or not; None if none of that id was ever registered."""
        return self._ask_or_none(f"/participants/{participant_id}")

    def networks(self) -> list[dict[str, Any]]:
        """Return the product networks with their members."""
        return self._items("/networks", {})

    def register(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """Register a participant; return it with its client id and secret, which is shown this once."""
        return self._ask("POST", "/participants", json=form)

    def renew_secret(self, participant_id: str) -> dict[str, Any]:
        """Give a participant's client a new secret; return it as `register` does."""
        return self._ask("POST", f"/participants/{participant_id}/secret")

    def amend(self, participant_id: str, **fields: Any) -> dict[str, Any]:
        """Change base URL, certificates or contact of a participant."""
        return self._ask("PATCH", f"/participants/{participant_id}", json=fields)

    def change_keys(self, participant_id: str, keys: Mapping[str, str]) -> dict[str, Any]:
        """Put these public keys in the place of a participant's."""
        return self._ask("PUT", f"/participants/{participant_id}/keys", json=keys)

    def decide(self, participant_id: str, step: str, **why: str) -> dict[str, Any]:
        """Approve, suspend, reject or offboard a participant."""
        return self._ask("POST", f"/participants/{participant_id}/{step}", json=why)

    def rotate_signing_key(self) -> dict[str, Any]:
        """Have the Auth Service sign with a new key."""
        return self._ask("POST", "/signing-keys/rotate")

    def events(self, limit: int) -> list[dict[str, Any]]:
        """Return the latest heartbeat events, newest first."""
        return self._items("/events", {"limit": str(limit)})

    def network(self, name: str = NETWORK) -> tuple[str, str]:
        """Return the ids of the sandbox's product, and of its product network or another one; made if there is none."""
        product_id = self._one("/products", PRODUCT, {"description": "Sandbox"})
        return product_id, self._one("/networks", name, {"product_id": product_id})

    def admit(self, network_id: str, participant_id: str) -> None:
        """Make a participant a member of a product network."""
        self._ask("PUT", f"/networks/{network_id}/members/{participant_id}")

    def _one(self, path: str, name: str, rest: Mapping[str, str]) -> str:
        known = next((item["id"] for item in self._items(path, {}) if item["name"] == name), None)
        return str(known or self._ask("POST", path, json={"name": name, **rest})["id"])
