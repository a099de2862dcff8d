"""The configuration text of the embedded NATS server, rendered purely.

Permissions follow the topics of ``qfleet_wire``: NATS maps an MQTT topic to a subject with ``/``
as ``.``, and needs no grant on its internal ``$MQTT`` subjects. Passwords stand in clear, because
the control plane must hand two of them on; the file that holds this text has mode 0600.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from qfleet_controlplane.broker.logins import Login, Logins
from qfleet_wire.names import RegionName
from qfleet_wire.topics import AuthorityTopic, Channel, subscription, topic_for

_MAX_PAYLOAD = 8 * 1024 * 1024
_ALL = ">"


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the server listens for MQTT, and where it may write."""

    host: str
    port: int
    directory: Path


def render(listener: Listener, region: RegionName, logins: Logins) -> str:
    """Render the configuration; JSON strings are valid in NATS's language."""
    store = json.dumps(str(listener.directory / "jetstream"))
    users = ",\n".join(
        (
            _user(logins.controller, publish=[_ALL], subscribe=[_ALL]),
            _user(
                logins.device,
                publish=_subjects(region, Channel.HELLO, Channel.UP, Channel.PEER, Channel.PRESENCE),
                subscribe=[*_subjects(region, Channel.DOWN, Channel.PEER), _authority(region)],
            ),
            _user(
                logins.enrol,
                publish=_subjects(region, Channel.ENROL),
                subscribe=[*_subjects(region, Channel.ENROL), _authority(region)],
            ),
        )
    )
    return f"""\
server_name: "qfleet-{region}"
host: "127.0.0.1"
port: -1
max_payload: {_MAX_PAYLOAD}
jetstream {{ store_dir: {store}, max_memory_store: 64MB, max_file_store: 4GB }}
mqtt {{ host: {json.dumps(listener.host)}, port: {listener.port}, ack_wait: "30s", max_ack_pending: 4096 }}
authorization {{ users: [
{users}
] }}
"""


def _user(login: Login, *, publish: list[str], subscribe: list[str]) -> str:
    """Spell one user; only MQTT connections may use it, so the NATS listener admits nobody."""
    return json.dumps(
        {
            "user": login.user,
            "password": login.password,
            "allowed_connection_types": ["MQTT"],
            "permissions": {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}},
        }
    )


def _subjects(region: RegionName, *channels: Channel) -> list[str]:
    return [_subject(subscription(region, channel)) for channel in channels]


def _authority(region: RegionName) -> str:
    return _subject(topic_for(AuthorityTopic(region)))


def _subject(topic: str) -> str:
    return topic.replace("/", ".").replace("+", "*")
