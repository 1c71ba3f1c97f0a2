"""The registry as a real process with real TLS: a token by curl, verified by its JWKS, opens a look-up."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT

from shared.clock import SystemClock
from tests.live.leaves import leaf_issued_at
from tests.live.pair import LENDER, LSP
from tests.live.program import run_program
from tests.live.registry import LiveRegistry, live_registry
from tests.node.certificates import Authority

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")

REALM = "/realms/dev"
TOKEN_PATH = f"{REALM}/protocol/openid-connect/token"


def admit(registry: LiveRegistry, certs: Path, organisation: str, role: str) -> dict[str, Any]:
    """Register and approve one of the sandbox's organisations; the credentials of its client."""
    folder = certs / organisation
    form = {
        "name": organisation,
        "role": role,
        "base_url": "https://localhost:8444",
        "tls_certificates": [(folder / "tls.pem").read_text()],
        "public_key": (folder / "signing.pub.pem").read_text(),
        "kid": f"{organisation}-kid",
        "spoc_email": "ocen@bank.example",
        "spoc_phone": "+91 22 5550 0100",
    }
    registered = registry.ops.post("/participants", json=form)
    assert registered.status_code == 201, registered.text
    told: dict[str, Any] = registered.json()
    approval = registry.ops.post(f"/participants/{told['participant']['id']}/approve", json={"approved_by": "SRO"})
    assert approval.status_code == 200
    return told


def token_of(registry: LiveRegistry, client: dict[str, Any], *arguments: str | Path) -> str:
    """The client's token, asked for with curl as any OAuth client would."""
    credentials = ("-u", f"{client['client_id']}:{client['client_secret']}")
    status, told = registry.curl(TOKEN_PATH, *credentials, "-d", "grant_type=client_credentials", *arguments)
    assert status == 200, told
    return str(told["access_token"])


def ended(registry: LiveRegistry, folder: Path) -> str:
    """The one line that a registry which cannot run writes before it ends."""
    registry.close()
    done = run_program(registry.arguments, registry.environment, folder)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def test_a_token_a_key_set_and_a_look_up_by_curl(tmp_path: Path, certs: Path, database_url: str) -> None:
    with live_registry(tmp_path, certs, database_url) as registry:
        lender = admit(registry, certs, LENDER, "LENDER")
        agent = admit(registry, certs, LSP, "LOAN_AGENT")
        token = token_of(registry, agent)
        status, discovered = registry.curl(f"{REALM}/.well-known/openid-configuration")
        assert (status, discovered["issuer"]) == (200, f"{registry.url}{REALM}")
        _, keys = registry.curl(discovered["jwks_uri"].removeprefix(registry.url))
        claims = json.loads(JWT(jwt=token, key=JWKSet.from_json(json.dumps(keys)), algs=["RS256"]).claims)
        assert claims["participantId"] == agent["participant"]["id"]
        assert claims["iss"] == discovered["issuer"]

        path = f"/service/participant-roles/{lender['participant']['id']}"
        assert registry.curl(path)[0] == 401
        status, told = registry.curl(path, "-H", f"Authorization: Bearer {token}")
        assert (status, told["baseUrl"]) == (200, "https://localhost:8444")

        before = token
        assert registry.ops.post("/signing-keys/rotate").status_code == 201
        assert registry.stop() == 0
        registry.start()
        for valid in (before, token_of(registry, agent)):
            assert registry.curl(path, "-H", f"Authorization: Bearer {valid}")[0] == 200
        registry.ops.post(f"/participants/{agent['participant']['id']}/offboard", json={})
        assert registry.curl(path, "-H", f"Authorization: Bearer {before}")[0] == 401
        assert registry.stop() == 0
    log = registry.log.read_text()
    assert token not in log
    assert agent["client_secret"] not in log


def test_a_client_certificate_is_verified_where_one_is_shown(tmp_path: Path, certs: Path) -> None:
    keys_path = f"{REALM}/protocol/openid-connect/certs"
    leaf = leaf_issued_at(SystemClock().now(), certs, tmp_path)
    impostor = Authority(owner="an impostor").issue(tmp_path / "impostor", "lsp.example")
    with live_registry(tmp_path, certs, f"sqlite:///{tmp_path / 'registry.db'}") as registry:
        assert registry.curl(keys_path)[0] == 200
        assert registry.curl(keys_path, "--cert", leaf.certificate, "--key", leaf.private_key)[0] == 200
        assert registry.curl(keys_path, "--cert", impostor.certificate, "--key", impostor.private_key)[0] == 0
        form = {
            "name": "Impostor no more",
            "role": "LENDER",
            "base_url": "https://localhost:8444",
            "tls_certificates": [impostor.pem],
            "public_key": (certs / LENDER / "signing.pub.pem").read_text(),
            "kid": "kid",
            "spoc_email": "ocen@bank.example",
            "spoc_phone": "+91 22 5550 0100",
        }
        registered = registry.ops.post("/participants", json=form)
        assert registered.status_code == 201
        own = ("--cert", impostor.certificate, "--key", impostor.private_key)
        client = ("-u", f"{registered.json()['client_id']}:{registered.json()['client_secret']}")
        status, told = registry.curl(TOKEN_PATH, *client, "-d", "grant_type=client_credentials", *own)
        assert (status, told["error"]) == (400, "unauthorized_client")
        for step, status in (("approve", 200), ("suspend", 200), ("reject", 0), ("approve", 200), ("offboard", 0)):
            assert registry.ops.post(f"/participants/1/{step}", json={}).status_code == 200
            assert registry.curl(keys_path, *own)[0] == status


def test_a_token_is_refused_over_a_connection_of_another_participant(tmp_path: Path, certs: Path) -> None:
    with live_registry(tmp_path, certs, f"sqlite:///{tmp_path / 'registry.db'}") as registry:
        agent = admit(registry, certs, LSP, "LOAN_AGENT")
        lender = admit(registry, certs, LENDER, "LENDER")
        bearer = ("-H", f"Authorization: Bearer {token_of(registry, agent)}")
        path = f"/service/participant-roles/{lender['participant']['id']}"
        for organisation, status in ((LSP, 200), (LENDER, 401)):
            own = ("--cert", certs / organisation / "tls.pem", "--key", certs / organisation / "tls.key")
            assert registry.curl(path, *bearer, *own)[0] == status
        assert registry.curl(path, *bearer)[0] == 200


@pytest.mark.parametrize("plane", ["OCEN_PORT", "OCEN_OPS_PORT"])
def test_a_port_in_use_is_told_in_one_line(tmp_path: Path, certs: Path, plane: str) -> None:
    registry = LiveRegistry(tmp_path, certs, f"sqlite:///{tmp_path / 'registry.db'}")
    with socket.create_server(("127.0.0.1", int(registry.settings[plane]))):
        assert "the port is in use" in ended(registry, tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("OCEN_TLS_CERTIFICATE", "/no/such/tls.pem", "/no/such/tls.pem cannot be read"),
        ("OCEN_TRUST", "/no/such/ca.pem", "OCEN_TRUST: /no/such/ca.pem cannot be read"),
        ("OCEN_KEYS_FOLDER", "/dev/null/keys", "/dev/null/keys/"),
        ("OCEN_PUBLIC_URL", "http://localhost", "OCEN_PUBLIC_URL: "),
        ("OCEN_TOKEN_SECONDS", "86401", "OCEN_TOKEN_SECONDS: "),
        ("OCEN_DATABASE_URL", "mysql://registry", "use sqlite:///path/to/file or postgresql"),
    ],
)
def test_a_registry_that_cannot_run_says_why_in_one_line(
    tmp_path: Path, certs: Path, variable: str, value: str, line: str
) -> None:
    registry = LiveRegistry(tmp_path, certs, f"sqlite:///{tmp_path / 'registry.db'}")
    registry.settings[variable] = value
    assert line in ended(registry, tmp_path)
