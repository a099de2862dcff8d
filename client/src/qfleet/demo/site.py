"""The site of a demo: one control plane with its embedded broker, and its devices.

Everything goes through the installed commands and the API. Join tokens travel through standard
input, the API token through its file; neither stands in an argument or a log.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from qfleet import configuration, errors
from qfleet.demo import processes
from qfleet.demo.directory import Directory
from qfleet.fleet import Fleet
from qfleet_wire import api

DEVICES = {
    "bench-pi": "raspberry-pi-4",
    "lab-jetson": "jetson-orin-nano",
    "plant-gateway": "x86-gateway",
}
"""Names of the demo's devices and the profile that each is given; all run on this machine."""

_STEP_S = 0.05
_START_S = 30.0

Tell = Callable[[str], None]


class _Address(msgspec.Struct, frozen=True):
    api: str


@dataclass(frozen=True, slots=True)
class Site:
    """A running site: where its API is and which file holds the token for it."""

    url: str
    token_file: Path

    def connect(self) -> Fleet:
        """Connect to its control plane."""
        return Fleet(self.url, configuration.read_token(self.token_file))


def start(  # noqa: PLR0913 - what two demos differ in
    directory: Directory,
    family: processes.Family,
    tell: Tell,
    *,
    devices: Mapping[str, str] = DEVICES,
    more: Mapping[str, str] = MappingProxyType({}),
    settings: str = "",
) -> Site:
    """Start a control plane and devices, given with their profiles, and wait until all are online.

    ``more`` is TOML that is appended to the settings of a device, ``settings`` to those of the control plane.
    """
    tell("making a fleet authority and a control plane")
    site = _control_plane(directory, family, settings)
    with site.connect() as fleet:
        for name, profile in devices.items():
            tell(f"enrolling {name} ({profile})")
            workers = max(1, (os.cpu_count() or 1) // len(devices))
            own = f'profile = "{profile}"\nworkers = {workers}\n{more.get(name, "")}'
            _device(directory, family, fleet.invite(name), own)
        tell("waiting for the devices")
        _wait_online(fleet, family)
    return site


def _control_plane(directory: Directory, family: processes.Family, more: str) -> Site:
    state, log = directory.controlplane, directory.logs / "controlplane.log"
    tool = find("qfleet-controlplane")
    processes.run([tool, "init", "--directory", str(state), "--fleet", "demo", "--region", "local",
                   "--listen", "127.0.0.1:0", "--broker", "embedded"], log=log)  # fmt: skip
    with (state / "controlplane.toml").open("a", encoding="utf-8") as settings:
        settings.write(more)
    family.start("control plane", [tool, "run", "--config", str(state / "controlplane.toml")], log=log)
    end = time.monotonic() + _START_S
    while not (url := _address(state / "address.json")):
        _pause(end, family, "the control plane", log)
    site = Site(url, state / "admin.token")
    with site.connect() as fleet:
        while not _is_ready(fleet):
            _pause(end, family, "the control plane", log)
    return site


def _address(file: Path) -> str:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Address).api
    except (FileNotFoundError, msgspec.MsgspecError):
        return ""


def _is_ready(fleet: Fleet) -> bool:
    try:
        fleet.overview()
    except errors.Unreachable:
        return False
    return True


def _device(directory: Directory, family: processes.Family, invitation: api.Invitation, more: str) -> None:
    home = directory.device(invitation.device)
    home.mkdir(mode=0o700, parents=True)
    settings = home / "agent.toml"
    settings.write_text(f'state = "{home / "state"}"\n{more}', encoding="utf-8")
    log = directory.logs / f"{invitation.device}.log"
    tool = find("qfleet-agent")
    processes.run([tool, "enrol", "-", "--config", str(settings)], log=log, stdin=invitation.token + "\n")
    family.start(invitation.device, [tool, "run", "--config", str(settings)], log=log)


def _wait_online(fleet: Fleet, family: processes.Family) -> None:
    end = time.monotonic() + _START_S
    while offline := [device.name for device in fleet.devices() if device.status != "online"]:
        _pause(end, family, ", ".join(offline), family.log(offline[0]))


def _pause(end: float, family: processes.Family, what: str, log: Path) -> None:
    family.check()
    if time.monotonic() > end:
        raise errors.DemoFailed(f"{what} did not come up within {_START_S:g} s", log=log)
    time.sleep(_STEP_S)


def find(name: str) -> str:
    """The command of another member, installed beside this interpreter."""
    tool = Path(sys.executable).with_name(name)
    if not tool.exists():
        raise errors.UserError(
            f"the demo needs the command {name}, and {tool} does not exist",
            hint="install qfleet-controlplane[broker] and qfleet-agent[circuits] beside qfleet",
        )
    return str(tool)
