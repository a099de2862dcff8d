"""Several machines on one network of their own: a bridge in a namespace, a wire to each machine.

Names are resolved by each machine's ``/etc/hosts``. Nothing of it is reachable from outside.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.install import book
from tests.install.machine import Machine, base_system, boot

DOMAIN = "example.org"
_NETWORK = "10.214.0"


@contextlib.contextmanager
def laboratory(
    cache: Path, folder: Path, names: Sequence[str], packages: Sequence[str], read_only: Mapping[Path, str]
) -> Iterator[dict[str, Machine]]:
    """Boot a machine of each name with further Debian packages, all on one network.

    Raises:
        Unavailable: for what is missing here.
    """
    base = base_system(cache, packages)
    with contextlib.ExitStack() as stack:
        switch = f"qfleet-lab-{os.getpid()}"
        _ip("netns", "add", switch)
        stack.callback(_ip, "netns", "delete", switch)
        _ip("-n", switch, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge0", "up")
        addresses = {name: f"{_NETWORK}.{number}" for number, name in enumerate(names, start=1)}
        for name in names:
            (folder / name).mkdir()
            stack.callback(shutil.rmtree, folder / name, ignore_errors=True)
        roots = {folder / name: f"{book.MACHINES}/{name}.{DOMAIN}" for name in names}
        machines = {}
        for name in names:
            network = _wire(stack, switch, name, addresses[name])
            machine = boot(base, folder / name, read_only={**read_only, **roots}, network=network)
            stack.callback(machine.power_off)
            _name(machine, addresses)
            machines[name] = machine
        yield machines


def _wire(stack: contextlib.ExitStack, switch: str, name: str, address: str) -> Path:
    """A namespace with an interface on the bridge."""
    space = f"{switch}-{name}"
    _ip("netns", "add", space)
    stack.callback(_ip, "netns", "delete", space)
    _ip(
        "-n", switch, "link", "add", f"p-{name}"[:15], "type", "veth", "peer", "name", "host0", "netns", space
    )
    _ip("-n", switch, "link", "set", f"p-{name}"[:15], "master", "bridge0", "up")
    _ip("-n", space, "address", "add", f"{address}/24", "dev", "host0")
    _ip("-n", space, "link", "set", "host0", "up")
    _ip("-n", space, "link", "set", "lo", "up")
    return Path("/run/netns") / space


def _name(machine: Machine, addresses: Mapping[str, str]) -> None:
    hosts = [f"{address} {name}.{DOMAIN} {name}" for name, address in addresses.items()]
    machine.write("/etc/hosts", "\n".join(["127.0.0.1 localhost", *hosts, ""]))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)
