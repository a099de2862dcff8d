"""What a request says of how far devices are relied on: agreement of several, and probes."""

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api

MOST_DEVICES = 9
"""Devices that are asked about one task."""
MOST_PROBES = 200
"""Probes mixed into one job."""


def check(request: api.JobRequest) -> None:
    """Raise ``RequestRefused`` for what cannot be served."""
    if not 1 <= request.agree <= MOST_DEVICES:
        raise RequestRefused("agree", f"is {request.agree}", f"give a number from 1 to {MOST_DEVICES}")
    if request.agree == 1 and request.of not in {0, 1}:
        hint = "say with agree how many of them must give the same result"
        raise RequestRefused("of", f"is {request.of} where one result is enough", hint)
    if request.of and not request.agree <= request.of <= MOST_DEVICES:
        hint = f"give a number from agree = {request.agree} to {MOST_DEVICES}, or leave it out"
        raise RequestRefused("of", f"is {request.of}", hint)
    _check_probes(request)


def _check_probes(request: api.JobRequest) -> None:
    probes = request.probes
    if not 0.0 <= probes <= MOST_PROBES or (probes > 1.0 and probes != int(probes)):
        hint = f"give a share of the tasks below 1, or a whole number of probes up to {MOST_PROBES}"
        raise RequestRefused("probes", f"is {probes:g}", hint)


def copies(request: api.JobRequest) -> int:
    """Devices that are asked about one task at most: by default so many that a minority cannot block."""
    if request.agree == 1:
        return 1
    return request.of or min(MOST_DEVICES, 2 * request.agree - 1)
