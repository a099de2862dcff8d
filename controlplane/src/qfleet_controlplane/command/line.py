"""Arguments and exit codes of ``qfleet-controlplane``: init, run, check, migrate, backup, restore, and more.

Exit codes: 0 fine, 1 an unexpected failure, 2 wrong usage, 69 a part is not available, 78 a
configuration error (systemd does not restart on it). No secret is ever printed, except the first
admin token, once.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from qfleet_controlplane import settings
from qfleet_controlplane.errors import ConfigurationError, ControlPlaneError, Unavailable

EXIT_FAILURE = 1
EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h."""
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h."""

_Run: TypeAlias = Callable[[argparse.Namespace], int]
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - its only name


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
    _add(commands, "run", _run, "run until stopped")
    _add(commands, "check", _check, "look at configuration, keys, store and broker")
    _add(commands, "migrate", _copying("upgrade"), "bring the database to the schema of this version")
    _add_backup(commands)
    _add_token(commands.add_parser("token", help="add, list and revoke API tokens"))
    _add_broker(commands.add_parser("broker", help="logins and accounts at the regions' brokers"))
    _add_authority(commands.add_parser("authority", help="issuers, revoked controllers, further ones"))
    audit = commands.add_parser("audit", help="check a provenance bundle's parts, for qfleet verify")
    audit.set_defaults(run=_audit)
    return parser


def _add(commands: _Commands, name: str, run: _Run, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, default=settings.DEFAULT_CONFIG, metavar="FILE")
    parser.set_defaults(run=run)
    return parser


def _add_backup(commands: _Commands) -> None:
    backup = _add(commands, "backup", _copying("run"), "copy everything to a file, while controllers run")
    backup.add_argument(
        "--with-authority", action="store_true", help="the fleet's keys too, sealed under the passphrase"
    )
    backup.add_argument("--force", action="store_true", help="replace a file that exists")
    restore = _add(commands, "restore", _restore, "make everything as a backup has it, or nothing")
    restore.add_argument("--force", action="store_true", help="replace a database that is not empty")
    for command in (backup, restore):
        command.add_argument("file", type=Path, metavar="FILE")
        command.add_argument(
            "--passphrase-file", type=Path, metavar="FILE", help="its first line seals the keys"
        )


def _add_token(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = _add(commands, "add", _administer("add_token"), "make a token and print it once")
    add.add_argument("name")
    add.add_argument("--role", choices=("viewer", "operator", "admin"), default="viewer")
    revoke = _add(commands, "revoke", _administer("revoke_token"), "revoke a token; it ends within seconds")
    revoke.add_argument("name")
    _add(commands, "list", _administer("list_tokens"), "show the names and roles of valid tokens")


def _add_broker(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    made = _add(commands, "logins", _govern_broker("make_logins"), "make the login files that are missing")
    rebuild = _add(
        commands,
        "rebuild",
        _govern_broker("rebuild"),
        "make every device's account again from the device table",
    )
    rebuild.add_argument("--output", type=Path, metavar="FILE", help="write the broker's file instead")
    rebuild.add_argument(
        "--new-secret", action="store_true", help="renew the secret that logins are made from"
    )
    access = _add(
        commands, "access", _govern_broker("write_access"), "write Mosquitto's access file (acl_file)"
    )
    access.add_argument("output", type=Path, metavar="FILE")
    check = _add(commands, "check", _govern_broker("check"), "try what each login may do")
    for command in (made, rebuild, access, check):
        command.add_argument("--region", metavar="NAME", help="this region only")


def _add_authority(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    renew = _add(
        commands, "renew-issuers", _administer("renew_issuers"), "give both issuers fresh certificates"
    )
    revoke = _add(
        commands,
        "revoke-controller",
        _administer("revoke_controller"),
        "put controllers' certificates on the list that every device gets",
    )
    revoke.add_argument("certificate", type=Path, nargs="+", help="certificate file, DER")
    export = _add(
        commands, "export", _administer("export_authority"), "write what a further controller needs"
    )
    export.add_argument("file", type=Path, help="bundle to write; move it to the other machine and delete it")
    export.add_argument(
        "--passphrase-file", type=Path, required=True, metavar="FILE", help="protect it with this first line"
    )
    for command in (renew, revoke):
        command.add_argument("--root-key", type=Path, metavar="FILE", help="where the root key is now")
        command.add_argument(
            "--passphrase-file", type=Path, metavar="FILE", help="passphrase of the root key"
        )


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        help="put configuration and state here, not under /etc and /var",
    )
    parser.add_argument("--fleet", default="fleet", help="the fleet's name (default: %(default)s)")
    parser.add_argument(
        "--region", action="append", metavar="NAME", help="a region's name (default: main); repeatable"
    )
    parser.add_argument("--controller", default="controller", help="this controller's name")
    parser.add_argument(
        "--listen", default=f"127.0.0.1:{settings.API_PORT}", metavar="HOST:PORT", help="address of the API"
    )
    parser.add_argument(
        "--broker",
        action="append",
        metavar="[REGION=]URL",
        help="'embedded' (default), mqtt://, mqtts:// or unix://; one for each region",
    )
    parser.add_argument(
        "--database", default="", metavar="URL", help="postgresql://USER@HOST/NAME (default: SQLite)"
    )
    parser.add_argument(
        "--database-password-file", type=Path, metavar="FILE", help="its first line is the password"
    )
    parser.add_argument(
        "--authority", type=Path, metavar="FILE", help="join a fleet with the bundle of 'authority export'"
    )
    parser.add_argument(
        "--broker-listen",
        metavar="HOST:PORT",
        help="address of the embedded broker (port 0: a free one)",
    )
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="protect the root key with this file's first line; with --authority, the bundle's",
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


def _copying(what: str) -> _Run:
    def run(options: argparse.Namespace) -> int:
        from qfleet_controlplane.command import backup  # noqa: PLC0415 - see above

        code: int = getattr(backup, what)(settings.read(options.config), options)
        return code

    return run


def _audit(_: argparse.Namespace) -> int:
    from qfleet_controlplane.command import audit  # noqa: PLC0415 - see above

    return audit.run()


def _restore(options: argparse.Namespace) -> int:
    from qfleet_controlplane.command import restore  # noqa: PLC0415 - see above

    return restore.run(options)


def _administer(what: str) -> _Run:
    def run(options: argparse.Namespace) -> int:
        from qfleet_controlplane.command import administer  # noqa: PLC0415 - see above

        code: int = getattr(administer, what)(settings.read(options.config), options)
        return code

    return run


def _govern_broker(what: str) -> _Run:
    def run(options: argparse.Namespace) -> int:
        from qfleet_controlplane.command import broker  # noqa: PLC0415 - see above

        logging.basicConfig(level=logging.ERROR)
        code: int = getattr(broker, what)(settings.read(options.config), options)
        return code

    return run
