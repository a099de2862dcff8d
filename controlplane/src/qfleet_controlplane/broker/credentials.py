"""A device's own broker login: derived, so that it is stored nowhere and can always be made again.

The user ``REGION/DEVICE`` fits both kinds of broker: Mosquitto's one access pattern
``qfleet/1/%u/up`` becomes the device's own topic, and no name that an operator chooses for the
control plane can be taken for a device's.
"""

import base64
import hashlib
import hmac

from qfleet_controlplane.broker.logins import Login
from qfleet_wire.names import DeviceName, RegionName

_LABEL = b"qfleet broker 1"


def user_of(region: RegionName, device: DeviceName) -> str:
    """Name the account of a device."""
    return f"{region}/{device}"


def device_of(region: RegionName, user: str) -> DeviceName | None:
    """Return whose account of a region this is; None for any other user."""
    head, slash, device = user.partition("/")
    return DeviceName(device) if slash and head == region else None


def derive(secret: bytes, region: RegionName, device: DeviceName) -> Login:
    """Derive a device's login from its region's broker secret.

    The password is base64url of HMAC-SHA256(secret, label ‖ region ‖ device), each part behind its
    length in four bytes.
    """
    message = b"".join(
        len(part).to_bytes(4, "big") + part for part in (_LABEL, region.encode(), device.encode())
    )
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return Login(user_of(region, device), base64.urlsafe_b64encode(digest).decode().rstrip("="))
