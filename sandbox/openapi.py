"""Writes the OpenAPI documents that the packages carry: `make openapi`. FastAPI makes them from the routes.

They are packaged because a node would need seconds for them, and its messages would wait meanwhile.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import registry_app.ops
import shared.node.ops
from registry_app.api.app import api_routes
from registry_app.ops.app import registry_operator_api
from shared.catalogue.table import messages_received_by
from shared.node.ops.app import operator_api, protocol_document_name
from shared.node.ops.documentation import package_version
from shared.node.receive.document import protocol_document
from shared.protocol.messages import Role

FOLDERS = tuple(Path(package.__path__[0]) / "static" for package in (shared.node.ops, registry_app.ops))
"""Where the documents of a node and of the registry are."""


def documents() -> Mapping[Path, str]:
    """Return the text of every document by its file: a participant's for each version with the ones before it."""
    ours, of_the_registry = FOLDERS
    made = {
        ours / "operator.json": operator_api().openapi(),
        of_the_registry / "registry-operator.json": registry_operator_api().openapi(),
        of_the_registry / "registry.json": api_routes().openapi(),
    }
    for role in Role:
        versions = sorted({message.version for message in messages_received_by(role)})
        for count in range(1, len(versions) + 1):
            spoken = versions[:count]
            messages = [message for message in messages_received_by(role) if message.version in spoken]
            made[ours / protocol_document_name(role, spoken)] = protocol_document(messages, package_version())
    return {file: _text(document) for file, document in made.items()}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, text in documents().items():
        file.write_text(text, "utf-8")
