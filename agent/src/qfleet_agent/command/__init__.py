"""The command ``qfleet-agent``: enrol, run, status, check, journal, compute.

Exit codes: 0 fine; 1 something failed; 2 the command was used wrongly; 3 the control plane refused;
4 nobody could be reached; 78 (EX_CONFIG) the agent cannot run like this, and starting it again
changes nothing.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from qfleet_agent import __version__, errors, settings
from qfleet_agent.command import exits
from qfleet_agent.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.call(options)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Exception as error:
        code = exits.code_for(error)
        if code == exits.INTERNAL and not isinstance(error, errors.AgentError):
            raise
        sys.stderr.write(f"qfleet-agent: {error}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qfleet-agent", description="The qfleet daemon on a device.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"qfleet-agent {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    enrol = _command(commands, "enrol", "join a fleet with a join token", _enrol)
    enrol.add_argument(
        "token",
        nargs="?",
        default="-",
        help="the join token, or - to read it from standard input (others can see a command's arguments)",
    )
    enrol.add_argument("--token-file", type=Path, help="read the join token from this file")
    _command(commands, "run", "run the daemon", _run)
    status = _command(commands, "status", "show how the agent is", _status)
    status.add_argument("--json", action="store_true", help="print JSON")
    check = _command(commands, "check", "look for what keeps the agent from working", _check)
    check.add_argument("--json", action="store_true", help="print JSON")
    journal = _command(commands, "journal", "look into the journal, a JSON object a line", _journal)
    journal.add_argument("query", nargs="?", help="SQL; without it the rows of each table are counted")
    journal.add_argument("--export", type=Path, metavar="FILE", help="write all but secrets to a SQLite file")
    compute = commands.add_parser("compute", help="run one encoded work, for qfleet verify --rerun")
    compute.add_argument("--memory-mib", type=int, default=4096, help="memory that it may have (4096)")
    compute.set_defaults(call=_compute)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    call: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.add_argument(
        "--config", type=Path, help=f"configuration file (default: {settings.DEFAULT_PATH}, if it exists)"
    )
    parser.add_argument("--state", type=Path, help="state directory, instead of the configured one")
    parser.set_defaults(call=call)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    return settings.load(options.config, state=options.state)


# Each command imports what it needs: `run` must stay small in memory, `status` quick.


def _enrol(options: argparse.Namespace) -> int:
    from qfleet_agent.command import enrol  # noqa: PLC0415  # see above

    return enrol.run(_settings(options), options.token, options.token_file)


def _run(options: argparse.Namespace) -> int:
    from qfleet_agent.command import run  # noqa: PLC0415  # see above

    return run.run(_settings(options))


def _status(options: argparse.Namespace) -> int:
    from qfleet_agent.command import status  # noqa: PLC0415  # see above

    return status.run(_settings(options), as_json=options.json)


def _journal(options: argparse.Namespace) -> int:
    from qfleet_agent.command import journal  # noqa: PLC0415  # see above

    return journal.run(_settings(options), options.query, options.export)


def _compute(options: argparse.Namespace) -> int:
    from qfleet_agent.command import compute  # noqa: PLC0415  # see above

    return compute.run(options.memory_mib << 20)


def _check(options: argparse.Namespace) -> int:
    from qfleet_agent.command import check  # noqa: PLC0415  # see above

    return check.run(_settings(options), as_json=options.json)
