"""Which device has which login at its region's broker. Passwords are derived, never stored.

A region's broker secret follows from the key for secrets at rest, its name and a number; so every
controller of the fleet makes the same logins, and a broker that lost its accounts gets them all
again. The number rises when the secret is renewed. What is stored of a device is its region and the
number that its login was made with: it keeps that login until it is given a newer one.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from qfleet_controlplane.authority.sealing import Sealer
from qfleet_controlplane.broker import credentials
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.machine.tables import SHUT_OUT
from qfleet_controlplane.store import registry
from qfleet_controlplane.store.tables.fleet import certificates, devices, meta
from qfleet_wire.names import DeviceName, RegionName

_FIRST = 1
_LOGIN = "broker-login/"


def login(sealer: Sealer, region: RegionName, device: DeviceName, number: int) -> Login:
    """Make a device's login again."""
    secret = sealer.derive(f"broker secret/{region}/{number}")
    return credentials.derive(secret, region, device)


def give(connection: sa.Connection, sealer: Sealer, region: RegionName, device: DeviceName) -> Login:
    """Give a device the login of the present secret, and note that it has it."""
    number = secret_number(connection, region)
    registry.put_fact(connection, f"{_LOGIN}{device}", f"{region} {number}".encode())
    return login(sealer, region, device, number)


def holders(connection: sa.Connection, sealer: Sealer, region: RegionName) -> Mapping[DeviceName, Login]:
    """Return every device that shall have an account in a region; one that is shut out never has."""
    return {
        device: login(sealer, region, device, number)
        for device, (where, number) in _given(connection).items()
        if where == region
    }


def outdated(connection: sa.Connection, region: RegionName) -> list[DeviceName]:
    """Return the devices of a region whose login was made with an earlier secret than the present."""
    present = secret_number(connection, region)
    given = _given(connection)
    return sorted(device for device, (where, number) in given.items() if where == region and number < present)


def without(connection: sa.Connection) -> list[DeviceName]:
    """Return the devices with a valid identity that have no login of their own, in any region."""
    rows = connection.scalars(
        sa.select(certificates.c.device)
        .join(devices, devices.c.name == certificates.c.device)
        .where(certificates.c.status == "active", devices.c.status.not_in(SHUT_OUT))
        .distinct()
    )
    return sorted(set(rows) - _given(connection).keys())


def secret_number(connection: sa.Connection, region: RegionName) -> int:
    """Return the number of a region's present broker secret."""
    stored = registry.fact(connection, _secret_fact(region))
    return int(stored) if stored else _FIRST


def renew_secret(connection: sa.Connection, region: RegionName) -> int:
    """Renew a region's broker secret; return its number. Logins that were given stay valid."""
    number = secret_number(connection, region) + 1
    registry.put_fact(connection, _secret_fact(region), str(number).encode())
    return number


def _given(connection: sa.Connection) -> dict[DeviceName, tuple[RegionName, int]]:
    shut_out = sa.select(devices.c.name).where(devices.c.status.in_(SHUT_OUT))
    facts = connection.execute(
        sa.select(meta.c.key, meta.c.value).where(meta.c.key.startswith(_LOGIN, autoescape=True))
    )
    barred = set(connection.scalars(shut_out))
    found: dict[DeviceName, tuple[RegionName, int]] = {}
    for key, value in facts:
        device = DeviceName(key.removeprefix(_LOGIN))
        region, _, number = value.decode().partition(" ")
        if device not in barred:
            found[device] = RegionName(region), int(number)
    return found


def _secret_fact(region: RegionName) -> str:
    return f"broker-secret/{region}"
