"""The errors that the Auth Service answers with (RFC 6749 s5.2, RFC 6750 s3)."""

from collections.abc import Mapping


class OAuthError(Exception):
    """A token request that is refused.

    Attributes:
        error: the code of RFC 6749.
        description: a sentence for people, without quotation marks and backslashes (RFC 6749 s5.2).
        status: the HTTP status.
        headers: what the answer has beside `Cache-Control`.
    """

    def __init__(
        self, error: str, description: str, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.headers = dict(headers or {})


def invalid_request(description: str) -> OAuthError:
    """The request lacks something, has it twice, or is no request for a token."""
    return OAuthError("invalid_request", description)


def invalid_client(description: str, *, by_header: bool) -> OAuthError:
    """The client is not who it says; with a challenge where it used the header Authorization."""
    challenge = {"www-authenticate": 'Basic realm="dev"'} if by_header else {}
    return OAuthError("invalid_client", description, 401, challenge)


class TokenRefused(Exception):  # noqa: N818 - it is the token that is at fault, not this service
    """A bearer token that the registry does not accept; `error` is the code of RFC 6750 s3.1, empty without a token."""

    def __init__(self, description: str, error: str = "invalid_token") -> None:
        super().__init__(description)
        self.error = error

    @property
    def challenge(self) -> str:
        """The value of `WWW-Authenticate`."""
        if not self.error:
            return 'Bearer realm="dev"'
        return f'Bearer realm="dev", error="{self.error}", error_description="{self}"'
