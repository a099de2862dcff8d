"""Arguments and exit codes of ``qfleet-controlplane``: init, run, check.

Exit codes: 0 fine, 1 an unexpected failure, 2 wrong usage, 69 a part is not available, 78 a
configuration error (systemd does not restart on it). No secret is ever printed, except the first
admin token, once.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from qfleet_controlplane import settings
from qfleet_controlplane.errors import ConfigurationError, ControlPlaneError, Unavailable

EXIT_FAILURE = 1
EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h."""
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ConfigurationError as error:
        return _complain(str(error), EXIT_CONFIG)
    except Unavailable as error:
        return _complain(str(error), EXIT_UNAVAILABLE)
    except ControlPlaneError as error:
        return _complain(str(error), EXIT_FAILURE)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    return code


def _complain(text: str, code: int) -> int:
    print(f"qfleet-controlplane: {text}", file=sys.stderr)  # noqa: T201 - this is the command line
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qfleet-controlplane", description="The control plane of a fleet of quantum-simulation devices."
    )
    parser.add_argument("--version", action="version", version=version("qfleet-controlplane"))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_init(commands.add_parser("init", help="create configuration, authority, database, admin token"))
    run = commands.add_parser("run", help="run until stopped")
    run.set_defaults(run=_run)
    check = commands.add_parser("check", help="look at configuration, keys, store and broker")
    check.set_defaults(run=_check)
    for command in (run, check):
        command.add_argument("--config", type=Path, default=settings.DEFAULT_CONFIG, metavar="FILE")
    return parser


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        help="put configuration and state here, not under /etc and /var",
    )
    parser.add_argument("--fleet", default="fleet", help="the fleet's name (default: %(default)s)")
    parser.add_argument("--region", default="main", help="the region's name (default: %(default)s)")
    parser.add_argument("--controller", default="controller", help="this controller's name")
    parser.add_argument(
        "--listen", default=f"127.0.0.1:{settings.API_PORT}", metavar="HOST:PORT", help="address of the API"
    )
    parser.add_argument(
        "--broker", default="embedded", metavar="URL", help="'embedded', mqtt://, mqtts:// or unix://"
    )
    parser.add_argument(
        "--broker-listen", metavar="HOST:PORT", help="address of the embedded broker (port 0: a free one)"
    )
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="protect the root key with this file's first line",
    )
    parser.set_defaults(run=_init)


# Each command imports what it needs when it runs: --help answers at once.


def _init(options: argparse.Namespace) -> int:
    from qfleet_controlplane.command import initialise  # noqa: PLC0415 - see above

    return initialise.run(options)


def _run(options: argparse.Namespace) -> int:
    from qfleet_controlplane.command import serve  # noqa: PLC0415 - see above

    return serve.run(settings.read(options.config))


def _check(options: argparse.Namespace) -> int:
    from qfleet_controlplane.command import check  # noqa: PLC0415 - see above

    logging.basicConfig(level=logging.ERROR)
    return check.run(settings.read(options.config))
