"""What an application pack refuses, split into "we misused it" and "they misbehaved"."""


class ApplicationError(Exception):
    """Base of every error of the application packs; its docstring is the default message."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or type(self).__name__))


class LocalError(ApplicationError):
    """A pack was used wrongly."""


class RemoteError(ApplicationError):
    """The fleet answered something that cannot be."""


class InvalidProblem(LocalError, ValueError):
    """A problem is not one that the pack can state."""


class UnexpectedResult(RemoteError):
    """A result does not belong to the job that was asked for."""
