"""What the application packs refuse, as errors of the SDK: scripts see one tree and one set of exit codes."""

from pathlib import Path

from qfleet import errors


class InvalidProblem(errors.UserError):
    """A problem is not one that the pack can state."""


class InvalidData(errors.UserError):
    """A file does not hold what the pack needs."""

    def __init__(self, file: Path, what: str, *, line: int = 0, column: str = "", hint: str = "") -> None:
        """``line`` counts from 1; 0 where it is the file as a whole."""
        place = f", line {line}" if line else ""
        named = f", column {column!r}" if column else ""
        super().__init__(f"{str(file)!r}{place}{named}: {what}", hint=hint)
        self.file, self.line, self.column = file, line, column


class TooLarge(errors.UserError):
    """No device of the fleet can hold the problem; ``qubits`` is how many it would need."""

    def __init__(self, message: str, *, qubits: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.qubits = qubits


class UnexpectedResult(errors.RemoteError):
    """A result does not belong to the job that was asked for."""
