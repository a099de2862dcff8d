"""Configuration text for NATS servers, rendered purely: the embedded one's, and any one's users.

NATS maps an MQTT topic to a subject with ``/`` as ``.``, and needs no grant on its internal
``$MQTT`` subjects. Passwords stand in clear: bcrypt would cost a reload of 10,000 users minutes, and
whoever reads the broker's files sees no more than the broker itself. The file has mode 0600.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from qfleet_controlplane.broker import permissions
from qfleet_controlplane.broker.credentials import device_of
from qfleet_controlplane.broker.logins import Login, Logins
from qfleet_controlplane.broker.permissions import Grants
from qfleet_wire.names import DeviceName, RegionName

USERS = "users.conf"
"""Name of the file with the users, beside the embedded server's configuration."""
_MAX_PAYLOAD = 8 * 1024 * 1024
_HEAD = "users: [\n"
_TAIL = "\n]\n"


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the server listens for MQTT, and where it may write."""

    host: str
    port: int
    directory: Path


def render(listener: Listener, region: RegionName) -> str:
    """Render the embedded server's configuration; JSON strings are valid in NATS's language."""
    store = json.dumps(str(listener.directory / "jetstream"))
    return f"""\
server_name: "qfleet-{region}"
host: "127.0.0.1"
port: -1
max_payload: {_MAX_PAYLOAD}
jetstream {{ store_dir: {store}, max_memory_store: 64MB, max_file_store: 4GB }}
mqtt {{ host: {json.dumps(listener.host)}, port: {listener.port}, ack_wait: "30s", max_ack_pending: 4096 }}
authorization {{ include "./{USERS}" }}
"""


def render_users(region: RegionName, logins: Logins, devices: Iterable[str]) -> str:
    """Render the users of a region, one a line; ``devices`` are lines of ``render_device``."""
    lines = [_user(logins.controller, Grants((">",), (">",)))]
    lines.append(_user(logins.enrol, permissions.of_enrolment(region)))
    if logins.device.user:
        lines.append(_user(logins.device, permissions.of_all_devices(region)))
    return _HEAD + ",\n".join((*lines, *devices)) + _TAIL


def render_accounts(region: RegionName, logins: Logins, devices: Mapping[DeviceName, Login]) -> str:
    """Render the users of a region with every device's own."""
    return render_users(
        region, logins, (render_device(region, device, login) for device, login in devices.items())
    )


def render_device(region: RegionName, device: DeviceName, login: Login) -> str:
    """Render the user of one device."""
    return _user(login, permissions.of_device(region, device))


def device_lines(region: RegionName, text: str) -> list[str]:
    """Return the devices' lines of what ``render_users`` made; none for anything else."""
    if not (text.startswith(_HEAD) and text.endswith(_TAIL)):
        return []
    lines = text[len(_HEAD) : -len(_TAIL)].split(",\n")
    return [line for line in lines if device_of(region, json.loads(line)["user"]) is not None]


def _user(login: Login, grants: Grants) -> str:
    """Spell one user; only MQTT connections may use it, so the NATS listener admits nobody."""
    return json.dumps(
        {
            "user": login.user,
            "password": login.password,
            "allowed_connection_types": ["MQTT"],
            "permissions": {
                "publish": {"allow": [_subject(topic) for topic in grants.publish]},
                "subscribe": {"allow": [_subject(topic) for topic in grants.subscribe]},
            },
        }
    )


def _subject(topic: str) -> str:
    return topic.replace("/", ".").replace("+", "*").replace("#", ">")
