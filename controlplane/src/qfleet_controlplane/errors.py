"""The exception tree of the control plane, split into "we misused it" and "they misbehaved".

A message holds the offending value and what to do; it never holds a secret. Where the answer to a request
tells them apart, ``hint`` is what to do and ``field`` the part of the request that is to blame.
"""


class ControlPlaneError(Exception):
    """Base of every error that the control plane raises; its docstring is the default message."""

    def __init__(self, message: str | None = None, *, hint: str = "", field: str | None = None) -> None:
        self.told = message or (type(self).__doc__ or type(self).__name__)
        self.hint = hint
        self.field = field
        super().__init__(self.told + (f" ({hint})" if hint else ""))


class LocalError(ControlPlaneError):
    """This installation or its operator used the control plane wrongly."""


class RemoteError(ControlPlaneError):
    """Someone on the other side of the network asked for what must not be granted."""


class ConfigurationError(LocalError):
    """A setting, a file or a directory is not as it must be; ends the command with code 78."""


class InvalidSetting(ConfigurationError, ValueError):
    """The configuration file is not valid."""


class Unavailable(LocalError):
    """A part of the control plane does not answer now; trying again later may help."""


class BrokerUnavailable(Unavailable):
    """The broker does not start or does not answer."""


class InvalidRequest(RemoteError, ValueError):
    """A request is well-formed but asks for something that cannot be."""


class NotFound(RemoteError, LookupError):
    """There is nothing of that name."""


class Conflict(RemoteError):
    """The request does not fit the present state."""


class Unauthenticated(RemoteError):
    """The request carries no valid API token."""


class Forbidden(RemoteError):
    """The API token's role does not permit this."""
