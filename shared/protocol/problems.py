"""Every reason for which a message is refused: its stable code, its HTTP status, its meaning.

One table. Acks, reports, the OpenAPI pages and (for whoever asks) GetErrorCodes answer from it. Codes that OCEN has
published keep their published meaning; ours continue their series.
"""

from enum import Enum

SUCCESS = "0"
"""The `error` of an ack that accepts (OCEN ack)."""


class Problem(Enum):
    """One reason: `code` goes into the ack's `error`, `status` is the HTTP status, `meaning` is for people.

    `published` marks the codes that OCEN itself has published.
    """

    MANDATORY_MISSING = ("GEN5001", 422, "A mandatory attribute is missing.", True)
    NOT_IN_ENUM = ("GEN5002", 422, "A value is not in its enumeration.", True)
    METHOD_NOT_ALLOWED = ("GEN5003", 405, "This path takes another HTTP method.", True)
    UNAVAILABLE = ("GEN5004", 503, "The service is not available now; try again.", True)
    VERSION = ("GEN5005", 422, "The API version is not one that is served here.", True)
    TIMED_OUT = ("GEN5006", 408, "The request was not complete in time.", True)
    LENGTH = ("GEN5007", 422, "An attribute is longer or shorter than allowed.", True)
    MALFORMED = ("GEN5008", 400, "The body is not a well-formed signed envelope.")
    CONFLICT = ("GEN5009", 409, "This requestId has been used for other content or another message.")
    NOT_ALLOWED_NOW = ("GEN5010", 409, "The message is not allowed in the present state.")
    UNKNOWN_REFERENCE = ("GEN5011", 422, "An identifier in the message is not known for its sender.")
    NO_SUCH_PATH = ("GEN5012", 404, "No message is taken at this path.")
    MEDIA_TYPE = ("GEN5013", 415, "The body has to be application/json, not encoded.")
    TOO_LARGE = ("GEN5014", 413, "The message is larger than accepted.")
    VALUE = ("GEN5015", 422, "An attribute has a value that its type does not allow.")
    INTERNAL = ("GEN5016", 500, "Something failed here; the message was not accepted.")
    OTHER_CONTENT = ("GEN5017", 409, "An identifier in the message has been used for other content.")
    SIGNATURE = ("AUTH1001", 401, "The signature is not valid.", True)
    REPLAYED = ("AUTH1002", 409, "This timestamp and traceId have been used before.")
    NOT_FRESH = ("AUTH1003", 401, "The timestamp is too old or in the future.")
    TOKEN = ("AUTH1005", 401, "The access token is missing or not valid.")
    SENDER = ("AUTH1004", 403, "The sender is not who the connection or the key says, or may not send this.")

    def __init__(self, code: str, status: int, meaning: str, published: bool = False) -> None:
        self.code = code
        self.status = status
        self.meaning = meaning
        self.published = published
