"""A page of the guides as something to follow: which machine runs which commands, in order.

A fenced block that begins with ``sh NAME`` runs as root on the machine of that name, as one script
that stops at its first failing command. Other blocks are for the eye. What the machines lack on
purpose is replaced: ``apt-get install`` only looks whether the packages are there, ``scp`` copies between
the machines' folders, and ``pip`` finds the wheels in a folder.
"""

import re
from pathlib import Path
from typing import NamedTuple

from tests.install.machine import Machine

MACHINES = "/machines"
"""Where every machine sees the file systems of all, read-only."""
_BLOCK = re.compile(r"^```sh (?P<machine>[a-z0-9-]+)\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL)
_PACKAGES = re.compile(r"^apt-get install -y (?P<names>.+)$", re.MULTILINE)
_STAND_INS = {
    "apt-get": """\
#!/bin/sh
# The machine was made with its packages: see that those wanted are among them.
[ "$1" = update ] && exit 0
[ "$1" = install ] && [ "$2" = -y ] || exit 64
shift 2
exec dpkg-query --show "$@"
""",
    "scp": f"""\
#!/bin/sh
set -eu
host=${{1%%:*}}; path=${{1#*:}}
cp "{MACHINES}/$host$path" "$2"
""",
}


class Step(NamedTuple):
    """One block: where it runs, what runs, and the line of the page that it begins at."""

    machine: str
    script: str
    line: int


def steps(page: Path) -> list[Step]:
    """Every block to run, in the order of the page."""
    text = page.read_text(encoding="utf-8")
    return [
        Step(found["machine"], found["script"], text.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(text)
    ]


def packages(page: Path) -> list[str]:
    """Every Debian package that the page installs."""
    found = (one["names"].split() for one in _PACKAGES.finditer(page.read_text(encoding="utf-8")))
    return sorted({name for names in found for name in names})


def prepare(machine: Machine) -> None:
    """Put the stand-ins in front of what they stand for."""
    for name, text in _STAND_INS.items():
        machine.write(f"/usr/local/bin/{name}", text, mode=0o755)
    machine.write("/etc/pip.conf", "[global]\nno-index = true\nfind-links = /root/qfleet/dist\n")


def follow(machine: Machine, step: Step, page: Path) -> str:
    """Run a block; a failure names the page and the line."""
    done = machine.run("bash", "-euo", "pipefail", "-s", text=step.script, check=False)
    assert done.returncode == 0, (
        f"{page.name}:{step.line} on {step.machine} ended with {done.returncode}:\n"
        f"{step.script}\n{done.stdout}\n{done.stderr}"
    )
    return done.stdout
