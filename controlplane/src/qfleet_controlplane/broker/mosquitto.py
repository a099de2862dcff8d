"""What Mosquitto needs to know of accounts, rendered purely: its dynamic security plugin, or two files.

Mosquitto 2.0's plugin has no access pattern with the user's name, so that every device has a role of its
own there; its access file has one, and the passwords stand in another file. Both keep passwords as
PBKDF2-SHA512 with the iterations that Mosquitto itself takes: the passwords are 192 random bits or more,
so that more would only slow a reconnecting fleet, and a salt that follows from the password gives
nothing away and makes the same accounts the same text.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from qfleet_controlplane.broker import permissions
from qfleet_controlplane.broker.credentials import user_of
from qfleet_controlplane.broker.logins import Login, Logins
from qfleet_controlplane.broker.permissions import Grants
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import AuthorityTopic, Channel, subscription, topic_for

Json = dict[str, Any]

_ITERATIONS = 101
_SALT_BYTES = 12
_HASH_BYTES = 64
CONTROL = "$CONTROL/dynamic-security/v1"
"""Topic of the plugin's commands; answers come on ``CONTROL_ANSWER`` to who asked."""
CONTROL_ANSWER = f"{CONTROL}/response"
_DENIED_BY_DEFAULT = {
    "publishClientSend": False,
    "publishClientReceive": False,
    "subscribe": False,
    "unsubscribe": True,
}


def role_of(user: str) -> str:
    """Name the role of a user."""
    return f"qfleet:{user}"


def role(user: str, grants: Grants) -> Json:
    """Spell a role as the plugin's commands and its file have it."""
    acls = [_acl("publishClientSend", topic) for topic in grants.publish]
    # A pattern grants every filter below it, a literal the very same filter only.
    acls += [
        _acl("subscribePattern" if {"+", "#"} & set(topic) else "subscribeLiteral", topic)
        for topic in grants.subscribe
    ]
    acls += [_acl("publishClientReceive", topic) for topic in grants.subscribe]
    return {"rolename": role_of(user), "acls": acls}


def device_role(region: RegionName, device: DeviceName) -> Json:
    """Spell the role of a device."""
    return role(user_of(region, device), permissions.of_device(region, device))


def render_dynamic_security(region: RegionName, logins: Logins, devices: Mapping[DeviceName, Login]) -> str:
    """Render the plugin's file with all accounts of a region; Mosquitto reads it when it starts."""
    controller = permissions.of_controller(region)
    governing = Grants((*controller.publish, CONTROL), (*controller.subscribe, CONTROL_ANSWER))
    fixed = [
        (logins.controller, role(logins.controller.user, governing)),
        (logins.enrol, role(logins.enrol.user, permissions.of_enrolment(region))),
    ]
    if logins.device.user:
        fixed.append((logins.device, role(logins.device.user, permissions.of_all_devices(region))))
    every = [*fixed, *((login, device_role(region, device)) for device, login in devices.items())]
    return json.dumps(
        {
            "clients": [_client(login) for login, _ in every],
            "roles": [made for _, made in every],
            "defaultACLAccess": _DENIED_BY_DEFAULT,
        },
        indent=1,
    )


def render_passwords(logins: Logins, devices: Mapping[DeviceName, Login]) -> str:
    """Render a password file."""
    fixed = [login for login in (logins.controller, logins.enrol, logins.device) if login.user]
    return "".join(f"{login.user}:{_hashed(login)}\n" for login in (*fixed, *devices.values()))


def render_access(regions: Mapping[RegionName, Logins]) -> str:
    """Render an access file: one pattern for all devices, whose user is ``REGION/DEVICE``."""
    own = "qfleet/1/%u"
    lines = [f"pattern write {own}/{channel}" for channel in permissions.WRITTEN]
    lines += [f"pattern read {own}/{channel}" for channel in permissions.READ]
    # Records are public; a pattern cannot name the region alone.
    lines += [f"pattern read {topic_for(AuthorityTopic(region))}" for region in regions]
    for region, logins in regions.items():
        everything = permissions.of_controller(region).publish[0]
        enrol = subscription(region, Channel.ENROL)
        lines += ["", f"user {logins.controller.user}", f"topic readwrite {everything}"]
        lines += ["", f"user {logins.enrol.user}", f"topic readwrite {enrol}"]
        if logins.device.user:
            shared = permissions.of_all_devices(region)
            lines += ["", f"user {logins.device.user}"]
            lines += [f"topic write {topic}" for topic in shared.publish]
            lines += [f"topic read {topic}" for topic in shared.subscribe]
    return "\n".join(lines) + "\n"


def commands_to_add(
    region: RegionName, devices: Iterable[tuple[DeviceName, Login]]
) -> Iterable[tuple[Json, ...]]:
    """Yield, per device, the plugin's commands that make its account."""
    for device, login in devices:
        account = {
            "username": login.user,
            "password": login.password,
            "roles": [{"rolename": role_of(login.user), "priority": 0}],
        }
        yield (
            {"command": "createRole", **device_role(region, device)},
            {"command": "createClient", **account},
        )


def commands_to_remove(users: Iterable[str]) -> Iterable[tuple[Json, ...]]:
    """Yield, per user, the plugin's commands that end its account and its connections."""
    for user in users:
        yield (
            {"command": "deleteClient", "username": user},
            {"command": "deleteRole", "rolename": role_of(user)},
        )


def _acl(kind: str, topic: str) -> Json:
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}


def _client(login: Login) -> Json:
    salt = _salt(login)
    return {
        "username": login.user,
        "password": _base64(_digest(login, salt)),
        "salt": _base64(salt),
        "iterations": _ITERATIONS,
        "roles": [{"rolename": role_of(login.user)}],
    }


def _hashed(login: Login) -> str:
    salt = _salt(login)
    return f"$7${_ITERATIONS}${_base64(salt)}${_base64(_digest(login, salt))}"


def _salt(login: Login) -> bytes:
    return hashlib.sha256(f"{login.user}\0{login.password}".encode()).digest()[:_SALT_BYTES]


def _digest(login: Login, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", login.password.encode(), salt, _ITERATIONS, _HASH_BYTES)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
