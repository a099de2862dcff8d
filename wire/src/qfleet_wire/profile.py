"""The schema of a profile: what a class of device is and may do.

One TOML file per class under ``firmware_profiles/``. Sizes in MiB, times in seconds,
temperatures in °C. An unknown key is an error that names its nearest match.
"""

import tomllib
from typing import Literal

import msgspec

from qfleet_wire import nearest
from qfleet_wire.errors import InvalidSpecification
from qfleet_wire.noise import Noise


class Recognise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a device of this class is recognised; every given condition must hold."""

    model_contains: tuple[str, ...] = ()
    """Any of these stands in ``/proc/device-tree/model`` or the DMI product name."""
    machine: tuple[str, ...] = ()
    """``uname -m`` is one of these."""
    min_memory_mib: int = 0
    rank: int = 0
    """Of several matches the highest rank wins."""


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the workers of such a device may use together, and one task at most."""

    workers: int
    task_memory_mib: int
    max_qubits: int
    max_shots: int
    task_seconds: int
    disk_mib: int
    disk_reserve_mib: int
    temperature_limit_c: float | None = None
    power_limit_w: float | None = None


class LinkClass(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rhythm of the link."""

    keep_alive_s: int = 60
    heartbeat_s: int = 30
    batch_ms: int = 0
    """How long the agent may wait to fill a batch; 0 sends at once."""
    telemetry_s: int | None = None
    """Time between two samples of telemetry; 0: none are taken; None: as often as a heartbeat."""


Mixing = Literal["off", "prefer", "require"]


class Security(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The least that such a device accepts of a channel."""

    suites: tuple[str, ...] = ("qfleet1",)
    require_preshared_key: bool = False
    quantum_key: Mixing = "off"
    """Whether sessions mix a key of a key delivery (QKD): never, where there is one, or else no session."""
    rekey_minutes: int = 60


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A class of devices."""

    name: str
    version: int
    description: str
    recognise: Recognise
    budget: Budget
    engines: tuple[str, ...]
    link: LinkClass = LinkClass()
    security: Security = Security()
    noise: Noise | None = None
    """What disturbs programs on the quantum processor that such a device stands in for; a job names it."""
    agent_min_version: str = "0.1.0"
    update_channel: str = "stable"


def parse_profile(text: str, *, source: str) -> Profile:
    """Read a profile from TOML; ``source`` names the file in errors.

    Raises:
        InvalidSpecification: with the key, what was wrong with it, and its nearest match.
    """
    try:
        return msgspec.convert(tomllib.loads(text), Profile)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSpecification(f"{source}: not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InvalidSpecification(f"{source}: {explain(error, Profile)}") from error


def explain(error: msgspec.ValidationError, schema: type[msgspec.Struct]) -> str:
    """Put a validation error in words and add what was meant by a key or a value that is unknown."""
    hint = nearest.hint(str(error), schema)
    return f"{error}; {hint}" if hint else str(error)
