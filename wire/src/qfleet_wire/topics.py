"""MQTT topics: ``topic_for`` and ``parse_topic`` are inverses; no topic string stands elsewhere.

``qfleet/1/<region>/<device>/<channel>`` and the retained ``qfleet/1/<region>/authority``.
"""

from enum import StrEnum
from typing import NamedTuple

from qfleet_wire.errors import InvalidName, InvalidTopic
from qfleet_wire.names import DeviceName, RegionName, parse_name

_PREFIX = "qfleet/1"


class Channel(StrEnum):
    """The last segment of a device's topic."""

    ENROL = "enrol"
    """Enrolment requests and their answers, both ways."""
    HELLO = "hello"
    """Handshake, device to controller."""
    UP = "up"
    """Sealed messages, device to controller."""
    DOWN = "down"
    """Handshake answers and sealed messages, controller to device."""
    PEER = "peer"
    """End-to-end sealed messages between devices, forwarded."""
    PRESENCE = "presence"
    """The last will: a hint, never a proof."""


class DeviceTopic(NamedTuple):
    """A topic of one device."""

    region: RegionName
    device: DeviceName
    channel: Channel


class AuthorityTopic(NamedTuple):
    """Where a region's retained authority record stands."""

    region: RegionName


Topic = DeviceTopic | AuthorityTopic


def topic_for(topic: Topic) -> str:
    """Spell a topic; names must have passed ``parse_name``."""
    match topic:
        case DeviceTopic(region, device, channel):
            return f"{_PREFIX}/{region}/{device}/{channel}"
        case AuthorityTopic(region):
            return f"{_PREFIX}/{region}/authority"


def parse_topic(text: str) -> Topic:
    """Read a topic back; raise ``InvalidTopic`` for anything that ``topic_for`` cannot spell."""
    segments = text.split("/")
    try:
        match segments:
            case ["qfleet", "1", region, "authority"]:
                return AuthorityTopic(RegionName(parse_name(region, "region")))
            case ["qfleet", "1", region, device, channel]:
                return DeviceTopic(
                    RegionName(parse_name(region, "region")),
                    DeviceName(parse_name(device, "device")),
                    Channel(channel),
                )
    except (InvalidName, ValueError) as error:
        raise InvalidTopic(f"topic {text[:200]!r} is not valid: {error}") from error
    raise InvalidTopic(f"topic {text[:200]!r} is not one of qfleet's")


def subscription(region: RegionName, channel: Channel) -> str:
    """Filter that matches one channel of every device of a region."""
    return f"{_PREFIX}/{region}/+/{channel}"
