"""Bundles: checked by ``qfleet verify`` as a process, without a network or configuration, and forged."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.system import processes
from tests.system.fleet import CONTROL_PLANE

from qfleet_controlplane.authority import files
from qfleet_wire import codec
from qfleet_wire.channel import keys, provenance


def verify(file: Path, *options: str) -> tuple[int, dict[str, object]]:
    """Check a bundle; the exit code, and what was found."""
    command = [processes.tool("qfleet"), "verify", str(file), "--json", *options]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=300)
    answer: dict[str, object] = json.loads(ended.stdout.decode().splitlines()[0])
    return ended.returncode, answer


def findings(answer: dict[str, object]) -> set[str]:
    """The parts of a bundle that something is wrong with."""
    found: Sequence[dict[str, str]] = answer["findings"]  # type: ignore[assignment]
    return {each["part"] for each in found}


def forged(directory: Path, bundle: bytes, parts: Mapping[str, bytes]) -> bytes:
    """Return a bundle with other parts, signed by the very controller of a fleet."""
    old = provenance.read(bundle)
    layout = files.Layout(directory / CONTROL_PLANE / "authority")
    key = keys.load(files.read_secret(layout.controller_key))
    signed = codec.decode(old.manifest, provenance.Manifest).signed
    return provenance.seal(old.parts | dict(parts), key, old.controller, signed)
