"""The process that computes what takes long: ``python -m qfleet_controlplane.network.computing WHAT SOURCE``.

``survey`` reads a scenario's text from standard input, ``plan`` a survey; the answer goes to standard output.
What is wrong goes to standard error, and the exit code says whose fault it is (``outcome``).
"""

import sys

import msgspec

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network import ways
from qfleet_controlplane.network.outcome import REFUSED, UNEQUIPPED
from qfleet_controlplane.network.survey import Survey

_MISSING = (
    "the control plane was installed without what the quantum network needs: "
    "install 'qfleet-controlplane[network]'"
)


def main(what: str, source: str) -> int:
    """Compute and return the exit code."""
    given = sys.stdin.buffer.read()
    try:
        answer = msgspec.json.encode(_survey(given, source) if what == "survey" else _plan(given))
    except InvalidRequest as error:
        sys.stderr.write(str(error))
        return REFUSED
    except ModuleNotFoundError as error:
        if error.name not in {"numpy", "sgp4"}:
            raise
        sys.stderr.write(_MISSING)
        return UNEQUIPPED
    sys.stdout.buffer.write(answer)
    return 0


def _survey(given: bytes, source: str) -> Survey:
    from qfleet_controlplane.network import surveying  # noqa: PLC0415 - numpy may be missing

    return surveying.survey(given.decode(), source)


def _plan(given: bytes) -> object:
    return ways.plan(msgspec.json.decode(given, type=Survey))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
