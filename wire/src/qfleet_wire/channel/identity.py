"""Who a certificate speaks for: the role and scope in its one critical URI name.

``qfleet://FLEET/device/ID``, ``qfleet://FLEET/controller/REGION/ID`` and, for intermediates,
``qfleet://FLEET/issuer/ROLE``: an issuer of devices cannot make a controller.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from qfleet_wire.errors import InvalidName, Untrusted
from qfleet_wire.names import ControllerName, DeviceName, FleetName, RegionName, parse_name

Role = Literal["device", "controller"]
_SCHEME = "qfleet:"


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """A device of a fleet. Its region stands in the device table, not in its certificate."""

    fleet: FleetName
    device: DeviceName


@dataclass(frozen=True, slots=True)
class ControllerIdentity:
    """A controller of one region of a fleet."""

    fleet: FleetName
    region: RegionName
    controller: ControllerName


@dataclass(frozen=True, slots=True)
class IssuerIdentity:
    """An intermediate that may issue certificates of one role only."""

    fleet: FleetName
    role: Role


Identity: TypeAlias = DeviceIdentity | ControllerIdentity | IssuerIdentity


def uri_for(identity: Identity) -> str:
    """Spell an identity; the inverse of ``parse_uri``."""
    match identity:
        case DeviceIdentity(fleet, device):
            return f"{_SCHEME}//{fleet}/device/{device}"
        case ControllerIdentity(fleet, region, controller):
            return f"{_SCHEME}//{fleet}/controller/{region}/{controller}"
        case IssuerIdentity(fleet, role):
            return f"{_SCHEME}//{fleet}/issuer/{role}"


def parse_uri(text: str) -> Identity:
    """Read an identity back.

    Raises:
        Untrusted: ``text`` is nothing that ``uri_for`` can spell.
    """
    try:
        match text.split("/"):
            case ["qfleet:", "", fleet, "device", device]:
                return DeviceIdentity(_fleet(fleet), DeviceName(parse_name(device, "device")))
            case ["qfleet:", "", fleet, "controller", region, controller]:
                return ControllerIdentity(
                    _fleet(fleet),
                    RegionName(parse_name(region, "region")),
                    ControllerName(parse_name(controller, "controller")),
                )
            case ["qfleet:", "", fleet, "issuer", ("device" | "controller") as role]:
                return IssuerIdentity(_fleet(fleet), role)
    except InvalidName as error:
        raise Untrusted(f"name {text[:200]!r} in a certificate is not valid: {error}") from error
    raise Untrusted(f"name {text[:200]!r} in a certificate is not one of qfleet's")


def _fleet(text: str) -> FleetName:
    return FleetName(parse_name(text, "fleet"))
