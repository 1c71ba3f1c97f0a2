"""The routes of the protocol plane: FastAPI's, and yet nothing is parsed a second time."""

from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Match
from starlette.types import Message

from shared.catalogue.table import CATALOGUE, get_message
from shared.node.receive.routes import message_route
from shared.protocol.messages import MessageType
from tests.equipment.messages import TRIGGER


class Responder:
    """An application that says which scope it was reached with."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)


async def not_to_be_read() -> Message:
    raise AssertionError("a route reads nothing of a request")


async def not_to_be_sent(message: Message) -> None:
    raise AssertionError("a route sends nothing of its own")


def scope(path: str = TRIGGER.path, method: str = "POST") -> dict[str, Any]:
    return {"type": "http", "path": path, "method": method, "headers": []}


@pytest.mark.parametrize("message", CATALOGUE, ids=lambda message: message.full_name)
def test_a_route_declares_the_body_and_the_ack_of_its_message(message: MessageType) -> None:
    route = message_route(message)
    assert isinstance(route, APIRoute)
    assert route.body_field is not None
    assert all(issubclass(model, BaseModel) for model in (route.body_field.field_info.annotation, route.response_model))


async def test_what_serves_a_route_is_reached_without_a_look_at_the_request() -> None:
    responder = Responder()
    route = message_route(TRIGGER).served_by(responder)
    reached = scope()
    await route.handle(reached, not_to_be_read, not_to_be_sent)
    assert responder.scopes == [reached]


def test_routes_are_made_once_and_serve_each_node_alone() -> None:
    first, second = Responder(), Responder()
    routes = [message_route(TRIGGER).served_by(responder) for responder in (first, second)]
    assert [route.app for route in routes] == [first, second]
    assert all(route.body_field is message_route(TRIGGER).body_field for route in routes)


@pytest.mark.parametrize(
    ("path", "method", "match"),
    [
        (TRIGGER.path, "POST", Match.FULL),
        (TRIGGER.path, "GET", Match.PARTIAL),
        (TRIGGER.path + "/", "POST", Match.NONE),
        (get_message("v4", TRIGGER.name).path, "POST", Match.NONE),
    ],
    ids=["its own path", "another method", "a slash more", "the path of another version"],
)
def test_a_route_matches_its_path_and_its_method_alone(path: str, method: str, match: Match) -> None:
    found, child = message_route(TRIGGER).matches(scope(path, method))
    assert found is match
    assert (child.get("route") is not None) is (match is not Match.NONE)


async def test_a_route_of_another_method_is_answered_405_by_the_framework() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await message_route(TRIGGER).served_by(Responder()).handle(scope(method="GET"), not_to_be_read, send)
    assert sent[0]["status"] == 405
