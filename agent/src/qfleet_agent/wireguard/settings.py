"""The configuration of a rotator: TOML of its own, since it runs without the agent's rights."""

import base64
import binascii
import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from qfleet_agent.errors import SettingsInvalid
from qfleet_wire import key_delivery
from qfleet_wire.key_delivery import Address
from qfleet_wire.profile import explain

__all__ = ["Address", "Delivery", "Line", "Rotation", "load"]

DEFAULT_PATH = Path("/etc/qfleet/wireguard.toml")
_PUBLIC_KEY_BYTES = 32
_LEAST_INTERVAL_S = 5.0
_INTERFACE = re.compile(r"[A-Za-z0-9_=+.][A-Za-z0-9_=+.-]{0,14}")
"""As wg-quick(8) has it."""


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The key delivery at this end, and how the rotator proves itself there."""

    url: str
    """``https://HOST:PORT`` of ETSI GS QKD 014."""
    ca_file: Path
    certificate_file: Path
    key_file: Path
    other_sae_id: str
    """SAE ID of the rotator at the other end."""

    def __post_init__(self) -> None:
        self.address  # noqa: B018 - it refuses

    @property
    def address(self) -> Address:
        """Where it is."""
        return key_delivery.address(self.url)


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The line between the two rotators, over which key IDs go; best not through the tunnel itself."""

    address: str
    """``HOST:PORT`` at which the follower listens; the same at both ends."""
    ca_file: Path
    """Certificates that the other rotator is checked against."""
    certificate_file: Path
    key_file: Path

    def __post_init__(self) -> None:
        self.where  # noqa: B018 - it refuses

    @property
    def where(self) -> Address:
        """Where the follower listens."""
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError(f"address = {self.address!r} must be HOST:PORT")
        return Address(host.strip("[]"), int(port))


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One tunnel: the preshared key of one peer of an interface."""

    interface: str
    peer: str
    """The peer's public key, as ``wg show`` prints it."""
    role: Literal["leader", "follower"]
    """One end leads and takes the keys, the other follows."""
    delivery: Delivery
    line: Line
    interval_s: float = 120.0
    """A new key so often; WireGuard itself shakes hands every 120 s."""
    command: str = "wg"
    """``wg`` of wireguard-tools."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        if _INTERFACE.fullmatch(self.interface) is None:
            raise ValueError(f"interface = {self.interface!r} must be the name of a network interface")
        try:
            length = len(base64.b64decode(self.peer, validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if length != _PUBLIC_KEY_BYTES:
            raise ValueError(
                f"peer = {self.peer!r} must be a public key: 44 characters, as `wg show` prints it"
            )
        if self.interval_s < _LEAST_INTERVAL_S:
            raise ValueError(f"interval_s = {self.interval_s} must be at least {_LEAST_INTERVAL_S:g}")


def load(path: Path | None) -> Rotation:
    """Read the configuration; None reads the default file.

    Raises:
        SettingsInvalid: With the file, the key, what is wrong with it, and its nearest match.
    """
    chosen = DEFAULT_PATH if path is None else path
    try:
        return msgspec.convert(tomllib.loads(chosen.read_text(encoding="utf-8")), Rotation, dec_hook=_path)
    except FileNotFoundError:
        raise SettingsInvalid(f"{chosen}: there is no such file; docs/wireguard.md shows one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{chosen}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{chosen}: not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"{chosen}: {explain(error, Rotation)}") from error


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected text, got {value!r}")
