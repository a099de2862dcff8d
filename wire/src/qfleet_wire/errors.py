"""The exception tree of the wire, split into "we misused it" and "they misbehaved"."""


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
