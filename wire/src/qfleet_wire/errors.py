"""The exception tree of the wire, split into "we misused it" and "they misbehaved"."""

from typing import Literal


class WireError(Exception):
    """Base of every error that qfleet_wire raises; its docstring is the default message."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or type(self).__name__))


class LocalError(WireError):
    """Our own side used the wire wrongly."""


class RemoteError(WireError):
    """The other side sent something that must not be accepted."""


class InvalidName(LocalError, ValueError):
    """A name is not a valid identifier."""


class InvalidTopic(RemoteError, ValueError):
    """A topic does not belong to qfleet's scheme."""


class InvalidMessage(RemoteError, ValueError):
    """Bytes do not decode to the message they should be."""


class LimitExceeded(RemoteError):
    """A message is larger, longer or deeper than the limits allow."""


class InvalidSpecification(LocalError, ValueError):
    """A workload or profile specification is not valid."""


class InvalidQuantity(LocalError, ValueError):
    """A physical quantity is outside the range that its name allows."""


class InvalidToken(LocalError, ValueError):
    """A join token is cut off, mistyped or not one of qfleet's."""


class InvalidKey(LocalError, ValueError):
    """A key file is damaged, or its passphrase is wrong."""


class SuiteUnavailable(LocalError):
    """None of the suites that the profile or the policy accepts is available here."""


class PresharedKeyMissing(LocalError):
    """The profile requires a pre-shared key and none is left."""


class KeyNotDelivered(RemoteError):
    """A key delivery gave no key. ``for_good``: this one will never come."""

    def __init__(self, message: str | None = None, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good


class ResumptionUnusable(LocalError):
    """A stored session must not be resumed; make a full handshake."""


class NoSession(LocalError):
    """There is no session to seal under; wait for the handshake."""


class MessageTooLong(LocalError):
    """A plaintext is over the limit; send it in chunks."""


RefusalCode = Literal[
    "untrusted",
    "revoked",
    "expired",
    "suite",
    "preshared-key",
    "resumption",
    "token",
    "rate",
    "replayed",
    "invalid",
]
"""Why a peer was refused, for programs; the exception's text says it for people."""


class Refused(RemoteError):
    """The other side asked for what it may not have; ``code`` may be told to it."""

    def __init__(self, message: str, *, code: RefusalCode) -> None:
        super().__init__(message)
        self.code: RefusalCode = code


class Untrusted(Refused):
    """A certificate, signature, role, fleet or region is not what it must be."""

    def __init__(self, message: str, *, code: RefusalCode = "untrusted") -> None:
        super().__init__(message, code=code)


class EnrolmentRefused(RemoteError):
    """The controller refused to enrol this device; invite it again."""


class AnotherAnswer(RemoteError):
    """An answer belongs to another request than the one under way; drop it without an alarm."""
