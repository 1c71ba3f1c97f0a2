"""Reading requests for a token: every right one is read in each of its forms, and nothing else gets through."""

import base64
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_app.auth.errors import OAuthError
from registry_app.auth.token_request import TokenRequest, read_token_request

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
CREDENTIAL = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60)
WORD = st.sampled_from(["grant_type", "client_id", "client_secret", "scope", "client_credentials", "openid", "x", ""])
JUNK = st.one_of(
    st.binary(max_size=200),
    st.lists(st.tuples(WORD, WORD), max_size=6).map(lambda pairs: urlencode(pairs).encode()),
    st.dictionaries(WORD, st.one_of(WORD, st.integers(), st.none(), st.lists(WORD))).map(
        lambda members: json.dumps(members).encode()
    ),
)


def parameters(client_id: str, secret: str) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}


def outcome(media_type: str, body: bytes, header: str | None) -> TokenRequest | OAuthError:
    try:
        return read_token_request(media_type, body, header)
    except OAuthError as error:
        return error


@given(CREDENTIAL, CREDENTIAL)
def test_a_form_and_a_json_object_mean_the_same(client_id: str, secret: str) -> None:
    expected = TokenRequest(client_id, secret, "openid", by_header=False)
    given_ = parameters(client_id, secret)
    assert read_token_request(FORM, urlencode(given_).encode(), None) == expected
    assert read_token_request(f"{JSON}; charset=utf-8", json.dumps(given_).encode(), None) == expected


@given(CREDENTIAL, CREDENTIAL)
def test_http_basic_carries_any_credentials(client_id: str, secret: str) -> None:
    pair = ":".join(urlencode({"": text})[1:] for text in (client_id, secret))
    authorization = f"basic {base64.b64encode(pair.encode()).decode()}"
    read = read_token_request(FORM, b"grant_type=client_credentials", authorization)
    assert read == TokenRequest(client_id, secret, "openid", by_header=True)


@given(st.sampled_from([FORM, JSON, "", "text/html", "APPLICATION/JSON ;x"]), JUNK, st.none() | st.text(max_size=40))
def test_anything_else_is_refused_with_a_code_of_rfc_6749(media_type: str, body: bytes, header: str | None) -> None:
    read = outcome(media_type, body, header)
    if isinstance(read, TokenRequest):
        assert all((read.client_id, read.client_secret, read.scope == "openid"))
        return
    assert read.status in (400, 401)
    assert read.error in ("invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope")
    assert not set('"\\') & set(read.description)
    assert read.description.isascii()
    assert ("www-authenticate" in read.headers) == (read.status == 401 and header is not None)


def test_a_parameter_without_a_value_counts_as_left_out() -> None:
    body = urlencode(parameters("a", "b")) + "&scope=&audience="
    assert read_token_request(FORM, body.encode(), None).scope == "openid"
    members = json.dumps({**parameters("a", "b"), "scope": None}).encode()
    assert read_token_request(JSON, members, None).scope == "openid"


def test_unknown_parameters_are_ignored() -> None:
    body = urlencode({**parameters("a", "b"), "audience": "x"}).encode()
    assert read_token_request(FORM, body, None).client_id == "a"


def test_a_json_body_with_more_values_than_parameters_is_refused_unparsed() -> None:
    many = json.dumps({**parameters("a", "b"), "x": [1.5] * 100}).encode()
    with pytest.raises(OAuthError, match="no JSON object"):
        read_token_request(JSON, many, None)


def test_a_request_does_not_show_its_secret() -> None:
    assert "b-secret" not in repr(TokenRequest("a", "b-secret", "openid", by_header=False))


@pytest.mark.parametrize("scope", ["openid openid", "openid"])
def test_the_one_scope_may_be_asked_for(scope: str) -> None:
    body = urlencode({**parameters("a", "b"), "scope": scope}).encode()
    assert read_token_request(FORM, body, None).scope == "openid"
