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
        answer = _survey(given, source) if what == "survey" else _plan(given)
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


def _survey(given: bytes, source: str) -> bytes:
    from qfleet_controlplane.network import surveying  # noqa: PLC0415 - numpy may be missing

    return _readable(msgspec.json.encode(surveying.survey(given.decode(), source)), source)


def _readable(answer: bytes, source: str) -> bytes:
    """Refuse what could be written and not be read again: JSON has no infinity and no NaN."""
    try:
        msgspec.json.decode(answer, type=Survey)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{source}: a figure of it has no bounds: {error}") from None
    return answer


def _plan(given: bytes) -> bytes:
    return msgspec.json.encode(ways.plan(msgspec.json.decode(given, type=Survey)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
