"""The files that install, contain and check the project agree with one another and with the code they start."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lender_app.app import LenderSettings
from registry_app.settings import RegistrySettings
from shared.node.settings import NodeSettings, ServiceSettings, load_settings
from tests.equipment.deadline import DEADLINE

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
NODES = {"lender": "lender_app", "lsp": "lsp_app"}
APPS = {**NODES, "registry": "registry_app"}
SETTINGS: dict[str, type[ServiceSettings]] = {
    "lender": LenderSettings,
    "lsp": NodeSettings,
    "registry": RegistrySettings,
}
PINS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


def environment(service: str) -> dict[str, str]:
    """The service's variables as Compose resolves them when the user's own environment is empty."""
    given: dict[str, str] = SERVICES[service]["environment"]
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in given.items()}


def published(service: str) -> dict[str, str]:
    """Container port to the host address it is published on; empty where that is every address."""
    parts = [port.rsplit(":", 2) for port in SERVICES[service]["ports"]]
    return {part[-1]: ":".join(part[:-2]) for part in parts}


def test_constraints_pin_each_package_once_and_name_no_place() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line) for line in PINS)
    names = [canonicalize_name(line.split("==")[0]) for line in PINS]
    assert len(set(names)) == len(names)
    assert not re.search(r"://|--hash|^-e|@", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def test_constraints_satisfy_every_requirement_of_the_project() -> None:
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in PINS)}
    project = PROJECT["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"] + PROJECT["build-system"]["requires"]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), str(requirement)


def test_every_python_package_is_built_checked_and_let_into_the_image() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert set(packages) <= set(let_in)
    assert set(packages) == set(PROJECT["tool"]["mypy"]["packages"])
    assert set(packages) == set(PROJECT["tool"]["importlinter"]["root_packages"])


def test_the_image_runs_without_root_and_takes_no_key_in() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER ocen"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in ignored if not line.startswith("#")) == "*"
    assert ignored[-2:] == ["**/*.key", "**/*.pem"]
    assert "!certs" not in ignored


@pytest.mark.parametrize(("service", "app"), APPS.items())
def test_an_app_starts_by_its_own_module_after_its_keys_are_made(service: str, app: str) -> None:
    definition = SERVICES[service]
    assert definition["command"] == ["python", "-m", app]
    assert find_spec(app) is not None
    assert definition["depends_on"]["pki-init"] == {"condition": "service_completed_successfully"}
    assert "pki:/pki:ro" in definition["volumes"]


@pytest.mark.parametrize("service", APPS)
def test_an_app_gets_only_variables_that_its_settings_know_and_accept(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(service)
    assert {name.removeprefix("OCEN_").lower() for name in given} <= set(SETTINGS[service].model_fields)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings(SETTINGS[service]).database_url == f"sqlite:////data/{service}.sqlite"


def documented(introduction: str) -> set[str]:
    """The variables in the table of docs/v4.md that this sentence introduces."""
    _, _, rest = (ROOT / "docs" / "v4.md").read_text("utf-8").partition(introduction)
    table = rest.split("\n\n")[1]
    return set(re.findall(r"`(OCEN_[A-Z_]+)`", "".join(line.split("|")[1] for line in table.splitlines())))


def test_every_variable_of_ocen_4_that_is_documented_is_set_and_the_other_way_round() -> None:
    of_nodes, of_the_registry = documented("Of a node, beside those"), documented("Of the registry (`python")
    assert len(of_nodes) > 8
    for service in NODES:
        assert of_nodes <= set(environment(service))
    known = {f"OCEN_{name.upper()}" for name in set(RegistrySettings.model_fields) - set(ServiceSettings.model_fields)}
    assert of_the_registry == known - {"OCEN_REPLACE_LOST_KEY"}


@pytest.mark.parametrize("service", APPS)
def test_the_operator_plane_is_published_on_loopback_alone(service: str) -> None:
    given = environment(service)
    assert published(service) == {given["OCEN_PORT"]: "", given["OCEN_OPS_PORT"]: "127.0.0.1"}


def test_all_volumes_are_declared_and_postgresql_is_left_out_unless_asked_for() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {f"{app}-postgres" for app in APPS}
    for app in APPS:
        assert SERVICES[app]["depends_on"][f"{app}-postgres"] == {"condition": "service_healthy", "required": False}


@contextmanager
def operator_plane(status: int, token: str) -> Iterator[int]:
    """A stand-in that answers /health with the status, for the right token alone."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/health" and self.headers["Authorization"] == f"Bearer {token}"
            self.send_response(status if known else 401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the library's)
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_the_operator_plane_with_its_token(tmp_path: Path, status: int, healthy: bool) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    command, interpreter, *arguments = SERVICES["lender"]["healthcheck"]["test"]
    assert (command, interpreter) == ("CMD", "python")
    with operator_plane(status, "0123456789abcdef") as port:
        variables = {"OCEN_OPS_PORT": str(port), "OCEN_OPS_TOKEN_FILE": str(tmp_path / "token")}
        done = subprocess.run(
            [sys.executable, *arguments], env=variables, capture_output=True, check=False, timeout=DEADLINE
        )
    assert (done.returncode == 0) is healthy


@pytest.mark.skipif(find_spec("sandbox.cli") is None, reason="there is no command line yet")
def test_pki_init_makes_every_file_that_the_nodes_are_pointed_at(tmp_path: Path) -> None:
    shell, flags, script = SERVICES["pki-init"]["command"]
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = script.replace("$$", "$").replace("/pki", str(tmp_path))
    subprocess.run([shell, flags, script], env=variables, check=True, timeout=DEADLINE)
    for service in NODES:
        for name in ("OCEN_IDENTITY", "OCEN_PARTICIPANTS", "OCEN_OPS_TOKEN_FILE"):
            assert (tmp_path / Path(environment(service)[name]).relative_to("/pki")).stat().st_size > 16
    for name in ("OCEN_TLS_CERTIFICATE", "OCEN_TLS_PRIVATE_KEY", "OCEN_TRUST", "OCEN_OPS_TOKEN_FILE"):
        assert (tmp_path / Path(environment("registry")[name]).relative_to("/pki")).stat().st_size > 16
    entries = json.loads((tmp_path / "participants.json").read_text())
    urls = {entry["base_url"]: entry["ip_addresses"] for entry in entries}
    assert urls == {f"https://{service}:{environment(service)['OCEN_PORT']}": [] for service in NODES}


def test_make_alone_prints_every_target() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=DEADLINE)
    targets = re.findall(r"^make (\w+) ", done.stdout, re.MULTILINE)
    assert targets == ["help", "install", "demo", "test", "check", "bench", "attack", "openapi", "clean"]
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony == [" ".join(targets)]


def test_without_a_python_that_is_new_enough_the_mend_is_said(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(
        ["make", "install", "PYTHON=no-such-python"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=DEADLINE,
    )  # fmt: skip
    assert done.returncode != 0
    assert "No Python 3.11 or newer among: no-such-python. Install one, or name it" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_ci_script_is_a_shell_script_that_parses_and_may_be_run() -> None:
    script = ROOT / ".ci" / "run"
    subprocess.run(["bash", "-n", script], check=True, timeout=DEADLINE)
    assert os.access(script, os.X_OK)
