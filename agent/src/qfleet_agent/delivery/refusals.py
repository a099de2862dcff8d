"""What the standard has a KME answer when it does not deliver (ETSI GS QKD 014 V1.1.1, 5.2 to 5.4, 6.5)."""

from collections.abc import Mapping
from typing import Any, Final

from qfleet_agent.errors import RemoteError

NOT_FOUND: Final = "one or more keys specified are not found on KME"
NOT_MULTIPLE: Final = "size shall be a multiple of 8"
UNSUPPORTED: Final = "not all extension_mandatory parameters are supported"
UNHANDLED: Final = "not all extension_optional request options handled"


class Refused(RemoteError):
    """A request that is not answered with keys; ``status`` is that of HTTP."""

    status = 400

    def __init__(self, message: str, *details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class BadRequest(Refused):
    """The request cannot be answered as it is."""


class NoSuchPath(Refused):
    """The standard has no such path."""

    status = 404


class NoSuchMethod(Refused):
    """The path has other methods."""

    status = 405


class Unauthorized(Refused):
    """The caller is not one of those who may ask; answered without a body."""

    status = 401

    def __init__(self) -> None:
        super().__init__("")


class Unavailable(Refused):
    """There are no keys now, or the peer does not answer."""

    status = 503
