"""The broker's fixed logins: what the control plane and an invited device may use.

An enrolled device has a login of its own (``credentials``). Only brokers that are given no accounts,
and fleets from before there were any, have a third one that all devices share. The broker is not
trusted with content, so a login only keeps strangers from wasting its time; still, passwords are
never logged and their ``repr`` hides them.
"""

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from qfleet_controlplane.errors import ConfigurationError

_MODE_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and password; both empty means the broker asks for none."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logins:
    """One login per role on the broker; ``device`` is empty where each device has its own."""

    controller: Login
    device: Login
    enrol: Login


class _LoginRow(msgspec.Struct, forbid_unknown_fields=True):
    user: str = ""
    password: str = ""


class _LoginFile(msgspec.Struct, forbid_unknown_fields=True):
    controller: _LoginRow
    enrol: _LoginRow
    device: _LoginRow = msgspec.field(default_factory=_LoginRow)


def generate(random: Callable[[int], bytes], *, prefix: str = "", shared: bool = False) -> Logins:
    """Draw fresh passwords of 192 bits; ``shared`` makes one login for all devices too."""

    def login(role: str) -> Login:
        return Login(f"{prefix}{role}", random(24).hex())

    return Logins(login("controller"), login("device") if shared else NO_LOGIN, login("enrol"))


def read(path: Path) -> Logins:
    """Read a login file; refuse one that others may read."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the broker's login file {path}: {error}") from error
    if mode & _MODE_OTHERS:
        raise ConfigurationError(f"{path} holds passwords and others may read it: chmod 600 {path}")
    try:
        rows = msgspec.convert(tomllib.loads(text), _LoginFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        # The cause is left out on purpose: it may quote the file.
        raise ConfigurationError(
            f"{path} needs tables [controller] and [enrol] with the keys user and password"
        ) from None
    return Logins(*(Login(row.user, row.password) for row in (rows.controller, rows.device, rows.enrol)))


def write(path: Path, logins: Logins) -> None:
    """Write a login file that only its owner may read."""
    lines = [
        f'[{role}]\nuser = "{login.user}"\npassword = "{login.password}"\n'
        for role, login in (
            ("controller", logins.controller),
            ("device", logins.device),
            ("enrol", logins.enrol),
        )
        if login.user
    ]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


NO_LOGIN = Login("", "")
NO_LOGINS = Logins(NO_LOGIN, NO_LOGIN, NO_LOGIN)
"""For a broker that asks for no login."""
