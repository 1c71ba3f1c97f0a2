"""Keys, ports and settings of a sandbox in a folder of its own, for tests that start its services themselves."""

from collections.abc import Mapping
from pathlib import Path

from sandbox.preparation import prepare, temporary_settings
from sandbox.settings import NodeName, OcenVersion
from shared.clock import SystemClock


def environments_in(
    folder: Path, database_urls: Mapping[str, str] | None = None, version: OcenVersion = OcenVersion.V3
) -> dict[str, dict[str, str]]:
    """Make the keys; the variables `OCEN_...` of each service by its name, `lender` and `lsp`, in v4 `registry` too.

    `database_urls` may name a database for a service; otherwise it is a SQLite file in the folder.
    """
    urls = {NodeName(name): url for name, url in (database_urls or {}).items()}
    settings = temporary_settings(folder, version, urls)
    prepare(settings, SystemClock().now())
    return {name.value: settings.own_environment(name) for name in settings.services}
