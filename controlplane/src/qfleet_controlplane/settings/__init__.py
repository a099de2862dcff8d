"""The configuration file: one TOML document, typed, without secrets.

An unknown setting is an error that names its nearest match. Relative paths are refused, so that
a service and its operator never mean different files. Secrets stand in files of their own;
nothing here may hold one.

A file either names its one region (``region`` and ``[broker]``) or has a table ``[regions.NAME]``
for each; ``places`` gives both forms as one.
"""

import tomllib
from pathlib import Path

import msgspec

from qfleet_controlplane.errors import InvalidSetting
from qfleet_controlplane.settings import complaints
from qfleet_controlplane.settings.complaints import is_loopback
from qfleet_controlplane.settings.tables import (
    API_PORT,
    DEFAULT_CONFIG,
    DEFAULT_STATE,
    MQTT_PORT,
    Api,
    Broker,
    Keys,
    Leases,
    Log,
    QuantumKeys,
    Region,
    Security,
    Settings,
)
from qfleet_wire.profile import explain

__all__ = [
    "API_PORT",
    "DEFAULT_CONFIG",
    "DEFAULT_STATE",
    "MQTT_PORT",
    "Api",
    "Broker",
    "Keys",
    "Leases",
    "Log",
    "QuantumKeys",
    "Region",
    "Security",
    "Settings",
    "is_loopback",
    "parse",
    "read",
]


def read(path: Path) -> Settings:
    """Read and check the configuration file.

    Raises:
        InvalidSetting: with the file, the key, what was wrong with it and its nearest match.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(
            f"cannot read the configuration {path}: {error}; create one with 'qfleet-controlplane init'"
        ) from error
    return parse(text, source=str(path))


def parse(text: str, *, source: str) -> Settings:
    """Read settings from TOML text; ``source`` names the file in errors."""
    try:
        settings = msgspec.convert(tomllib.loads(text), Settings)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting(f"{source}: not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{source}: {explain(error, Settings)}") from error
    for complaint in complaints.every(settings):
        if complaint:
            raise InvalidSetting(f"{source}: {complaint}")
    return settings
