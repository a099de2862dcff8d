"""The command ``qfleet-agent``: join, run, look into and check the daemon; deliver and rotate keys.

Exit codes: 0 fine; 1 something failed; 2 the command was used wrongly; 3 the control plane refused;
4 nobody could be reached; 78 (EX_CONFIG) the agent cannot run like this, and starting it again
changes nothing.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

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
    _keys(commands)
    text = "rotate the preshared key of a WireGuard peer"
    wireguard = commands.add_parser("wireguard", help=text, description=text, allow_abbrev=False)
    wireguard.add_argument("--config", type=Path, help="configuration (default: /etc/qfleet/wireguard.toml)")
    wireguard.set_defaults(call=_wireguard)
    compute = commands.add_parser("compute", help="run one encoded work, for qfleet verify --rerun")
    compute.add_argument("--memory-mib", type=int, default=4096, help="memory that it may have (4096)")
    compute.set_defaults(call=_compute)
    return parser


def _keys(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "deliver keys to applications on this device (ETSI GS QKD 014)"
    parts = commands.add_parser("keys", help=text, description=text, allow_abbrev=False).add_subparsers(
        required=True, metavar="COMMAND"
    )
    _command(parts, "serve", "run the key delivery", _keys_serve)
    _command(parts, "status", "print what the key store holds, as JSON; never a key", _keys_status)
    load = _command(parts, "load", "take key material from a file that a peer loads too", _keys_load)
    load.add_argument("peer", help="the device that shares it")
    load.add_argument("file", type=Path, help="a file of random bytes, the same at both ends")
    text = "make a CA for local applications where there is none, and certificates of it"
    certificates = parts.add_parser("certificates", help=text, description=text, allow_abbrev=False)
    certificates.add_argument("folder", type=Path, help="where they are kept")
    certificates.add_argument("--host", action="append", default=[], help="name or address of the server")
    certificates.add_argument("--application", action="append", default=[], help="SAE ID of an application")
    certificates.set_defaults(call=_keys_certificates)


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


def _keys_serve(options: argparse.Namespace) -> int:
    code: int = _of_keys().serve(_settings(options))
    return code


def _keys_status(options: argparse.Namespace) -> int:
    code: int = _of_keys().status(_settings(options))
    return code


def _keys_load(options: argparse.Namespace) -> int:
    code: int = _of_keys().load(_settings(options), options.peer, options.file)
    return code


def _keys_certificates(options: argparse.Namespace) -> int:
    code: int = _of_keys().make_certificates(options.folder, options.host, options.application)
    return code


def _of_keys() -> ModuleType:
    try:
        from qfleet_agent.command import keys  # noqa: PLC0415  # see above
    except ModuleNotFoundError as error:
        raise errors.KeyDeliveryUnusable(f"{error}: install qfleet-agent[keys]") from error
    return keys


def _wireguard(options: argparse.Namespace) -> int:
    from qfleet_agent.command import wireguard  # noqa: PLC0415  # see above

    return wireguard.run(options.config)


def _compute(options: argparse.Namespace) -> int:
    from qfleet_agent.command import compute  # noqa: PLC0415  # see above

    return compute.run(options.memory_mib << 20)


def _check(options: argparse.Namespace) -> int:
    from qfleet_agent.command import check  # noqa: PLC0415  # see above

    return check.run(_settings(options), as_json=options.json)
