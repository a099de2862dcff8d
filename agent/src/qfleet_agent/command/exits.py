"""What exit code an error has."""

from typing import Final

from qfleet_agent import errors
from qfleet_wire import errors as wire_errors

FINE: Final = 0
INTERNAL: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
UNREACHABLE: Final = 4
CONFIGURATION: Final = 78
"""EX_CONFIG of sysexits.h: the unit does not start the agent again."""
INTERRUPTED: Final = 130

_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (errors.SettingsInvalid, CONFIGURATION),
    (errors.KeyDeliveryUnusable, CONFIGURATION),
    (errors.RotatorUnusable, CONFIGURATION),
    (errors.ProfileNotFound, CONFIGURATION),
    (errors.NotEnrolled, CONFIGURATION),
    (wire_errors.InvalidSpecification, CONFIGURATION),
    (wire_errors.InvalidKey, CONFIGURATION),
    (wire_errors.SuiteUnavailable, CONFIGURATION),
    (wire_errors.InvalidToken, USAGE),
    (errors.CertificatesInvalid, USAGE),
    (errors.BlockRefused, USAGE),
    (errors.TokenInvalid, USAGE),
    (errors.AlreadyEnrolled, USAGE),
    (wire_errors.EnrolmentRefused, REFUSED),
    (wire_errors.Untrusted, REFUSED),
    (errors.BrokerUnreachable, UNREACHABLE),
    (errors.EnrolmentFailed, UNREACHABLE),
)


def code_for(error: Exception) -> int:
    """Return the exit code of an error that ended a command."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), INTERNAL)
