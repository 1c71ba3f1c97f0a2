"""A client of a node's operator plane: JSON over plain HTTP on loopback, with the bearer token of the sandbox."""

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from sandbox.errors import SandboxError
from shared.clock import Clock, SystemClock
from shared.protocol.encoding import dump_json

POLL_SECONDS = 0.02
"""Between two looks at a journal while something is awaited."""

Found = TypeVar("Found")


class OperatorPlane:
    """Asks one service. What it returns are the JSON objects of its operator plane, as they came.

    Raises (all methods): SandboxError when the service does not answer or says no; its own sentence is passed on.
    """

    def __init__(
        self,
        label: str,
        url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 10.0,
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ask the service at `url`; `label` is how sentences name it; `wait` sleeps for so many seconds."""
        self.label = label
        self.url = url
        self._clock = clock or SystemClock()
        self._wait = wait
        self._http = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {token}"},
            timeout=timeout,
            transport=transport,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # plain HTTP: no time is spent on loading authorities
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def is_process(self, pid: int, organisation_id: str = "") -> bool:
        """Tell whether the service is that process and that organisation, and takes our token; False if none answers.

        The registry is no organisation.
        """
        try:
            if self._ask("GET", "/health")["pid"] != pid:
                return False
            if organisation_id:
                return bool(self._ask("GET", "/identity")["organisation_id"] == organisation_id)
            return isinstance(self.participants(), list)
        except (SandboxError, KeyError):
            return False

    def participants(self, **filters: str) -> list[dict[str, Any]]:
        """Return the participants that a node knows, or that are registered."""
        return self._items("/participants", filters)

    def is_ready(self) -> bool:
        """Tell whether the service takes messages: its database answers and its protocol plane listens."""
        return self.obstacle() is None

    def obstacle(self) -> str | None:
        """Return why the service takes no messages; None if it does."""
        try:
            answer = self._send("GET", "/ready")
        except SandboxError as error:
            return str(error)
        if answer.status_code == 200:
            return None
        told = answer.json()
        since = f", since {told['since'][:19]} UTC" if "since" in told else ""
        return f"{told.get('reason', 'it does not say why')}{since}"

    def wait_for(self, look: Callable[[Self], Found | None], seconds: float) -> Found | None:
        """Look again and again until something is found; None when the time is over."""
        deadline = self._clock.elapsed() + seconds
        while (found := look(self)) is None and self._clock.elapsed() < deadline:
            self._wait(POLL_SECONDS)
        return found

    def _items(self, path: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        items: Sequence[dict[str, Any]] = self._ask("GET", path, params=filters)["items"]
        return list(items)

    def _ask_or_none(self, path: str, method: str = "GET") -> dict[str, Any] | None:
        response = self._send(method, path)
        return None if response.status_code == 404 else self._read(response)

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        return self._read(self._send(method, path, **request))

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise SandboxError(
                f"the {self.label} does not answer at {self.url} ({error}): see `ocen-sandbox status`"
            ) from error

    def _read(self, response: httpx.Response, within: str = "") -> dict[str, Any]:
        """Read an answer; errors name a field without the prefix `within`, as the user wrote it."""
        try:
            body = response.json()
        except ValueError as error:
            raise SandboxError(f"{self.url} answers, but not as a node does: is it the {self.label}?") from error
        if response.status_code == 401:
            raise SandboxError(f"the {self.label} at {self.url} has another ops token: is --data-dir the right one?")
        if response.is_error:
            raise SandboxError(f"the {self.label} says: {str(body.get('detail', body)).removeprefix(within)}")
        answer: dict[str, Any] = body
        return answer


def path_of(*parts: str) -> str:
    """Return a path of the operator plane; what a user has given stays one part of it."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


class OpsClient(OperatorPlane):
    """Asks one node, a lender or an LSP."""

    def identity(self) -> dict[str, Any]:
        """Return who the node is: organisation id, role, kids, certificate."""
        return self._ask("GET", "/identity")

    def messages(self, limit: int, **filters: str) -> list[dict[str, Any]]:
        """Return the latest messages, newest first."""
        return self._items("/messages", {"limit": str(limit), **filters})

    def refusals(self, limit: int) -> list[dict[str, Any]]:
        """Return the latest messages that the node refused, newest first."""
        return self._items("/refusals", {"limit": str(limit)})

    def message(self, request_id: str) -> dict[str, Any] | None:
        """Return everything known under a requestId, or None."""
        return self._ask_or_none(path_of("messages", request_id))

    def evidence(self, request_id: str) -> bytes | None:
        """Return the evidence of what was accepted and sent under a requestId, a zip file; None if that is nothing."""
        response = self._send("GET", path_of("messages", request_id, "evidence"))
        if response.status_code == 404:
            return None
        if response.is_error:
            self._read(response)
        return response.content

    def notices(self, reference: str | None = None) -> list[dict[str, Any]]:
        """Return the SMS inbox, or what of it belongs to one requestId."""
        return self._items("/notices", {"reference": reference} if reference else {})

    def send(self, message: str, to: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Have the node sign and send a message; return its `id` and `request_id`.

        Raises EncodingError if there is a decimal number in the content that a JSON reader would change.
        """
        body = dump_json({"message": message, "to": to, "content": content})
        response = self._send("POST", "/messages", content=body, headers={"content-type": "application/json"})
        return self._read(response, within="content.")

    def redrive(self, delivery_id: str) -> dict[str, Any] | None:
        """Have a delivery that was given up tried again; None if the node has none of that id."""
        return self._ask_or_none(path_of("messages", delivery_id, "redrive"), method="POST")

    def onboard(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """Onboard a participant by its form; return what is known of it now, and the node's own form."""
        return self._ask("POST", "/participants", json=form)

    def participant(self, organisation_id: str) -> dict[str, Any] | None:
        """Return a participant with the history of its keys and certificates; None if it has never been onboarded."""
        return self._ask_or_none(path_of("participants", organisation_id))

    def offboard(self, organisation_id: str, reason: str) -> dict[str, Any]:
        """Offboard a participant."""
        return self._ask("POST", path_of("participants", organisation_id, "offboard"), json={"reason": reason})

    def amend(self, organisation_id: str, **fields: Any) -> dict[str, Any]:
        """Change what is neither key nor certificate of a participant."""
        return self._ask("PATCH", path_of("participants", organisation_id), json=fields)

    def add_key(self, organisation_id: str, public_key: str, kid: str = "", reason: str = "") -> dict[str, Any]:
        """Add a verification key of a participant, as back-up."""
        change = {"public_key": public_key, "kid": kid, "reason": reason}
        return self._ask("POST", path_of("participants", organisation_id, "keys"), json=change)

    def change_key(self, organisation_id: str, kid: str, status: str, reason: str = "") -> dict[str, Any]:
        """Make a key ACTIVE, RETIRED or BLOCKED."""
        change = {"status": status, "reason": reason}
        return self._ask("PUT", path_of("participants", organisation_id, "keys", kid), json=change)

    def add_certificate(self, organisation_id: str, pem: str, reason: str = "") -> dict[str, Any]:
        """Register a further TLS certificate of a participant."""
        change = {"tls_certificate": pem, "reason": reason}
        return self._ask("POST", path_of("participants", organisation_id, "certificates"), json=change)

    def remove_certificate(self, organisation_id: str, thumbprint: str, reason: str = "") -> dict[str, Any]:
        """Remove a TLS certificate of a participant."""
        path = path_of("participants", organisation_id, "certificates", thumbprint)
        return self._ask("DELETE", path, params={"reason": reason})

    def peers(self) -> list[dict[str, Any]]:
        """Return the peers of OCEN 4.0 with their dialects."""
        return self._items("/peers", {})

    def set_peer(self, participant_id: str, dialect: str) -> dict[str, Any]:
        """Settle how a peer of OCEN 4.0 signs."""
        return self._ask("PUT", path_of("peers", participant_id), json={"dialect": dialect})

    def unset_peer(self, participant_id: str) -> dict[str, Any] | None:
        """Take back how a peer of OCEN 4.0 signs; return how it does now, or None if nothing was settled."""
        return self._ask_or_none(path_of("peers", participant_id), method="DELETE")

    def clocks(self) -> dict[str, Any]:
        """Return both clocks of the node."""
        return self._ask("GET", "/clock")

    def set_clock(self, setting_id: str, offset_seconds: int) -> dict[str, Any]:
        """Set business time so many seconds ahead, once under an id; return both clocks."""
        return self._ask("PUT", path_of("clock", setting_id), json={"offset_seconds": offset_seconds})

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return what the node's rules remember of one kind."""
        return self._items("/records", {"kind": kind})

    def order(self, order_id: str, kind: str, data: Mapping[str, Any]) -> bool:
        """Give the node's rules an order; tell whether it is new."""
        return bool(self._ask("POST", "/orders", json={"id": order_id, "kind": kind, "data": data})["is_new"])

    def own_form(self) -> dict[str, Any]:
        """Return the node's own side of the onboarding form."""
        return self._ask("GET", "/identity/form")

    def make_key(self, kid: str | None = None, reason: str = "") -> dict[str, Any]:
        """Have the node make a further signing key of its own, as back-up."""
        return self._ask("POST", "/identity/keys", json={"kid": kid, "reason": reason})

    def renew_certificate(self) -> str:
        """Have the node show the TLS certificates that lie in its files now; return the thumbprint of the first."""
        return str(self._ask("POST", "/identity/certificate")["certificate"])
