"""What each role may do on the broker, as topic filters; every kind of broker is given these.

A device has one access pattern: it writes four topics of its own and reads two, and the authority's
record. An invited device can enrol and do nothing else.
"""

from dataclasses import dataclass

from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, subscription, topic_for

WRITTEN = (Channel.HELLO, Channel.UP, Channel.PEER, Channel.PRESENCE)
"""Channels on which a device publishes."""
READ = (Channel.DOWN, Channel.PEER)
"""Channels to which it subscribes."""


@dataclass(frozen=True, slots=True)
class Grants:
    """Topic filters that may be published and subscribed."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def of_device(region: RegionName, device: DeviceName) -> Grants:
    """Return what a device may do with its own login."""
    written = tuple(topic_for(DeviceTopic(region, device, channel)) for channel in WRITTEN)
    read = tuple(topic_for(DeviceTopic(region, device, channel)) for channel in READ)
    return Grants(written, (*read, topic_for(AuthorityTopic(region))))


def of_all_devices(region: RegionName) -> Grants:
    """Return what the login may do that all devices of a region share, where there is one."""
    written = tuple(subscription(region, channel) for channel in WRITTEN)
    read = tuple(subscription(region, channel) for channel in READ)
    return Grants(written, (*read, topic_for(AuthorityTopic(region))))


def of_enrolment(region: RegionName) -> Grants:
    """Return what the login in a join token may do."""
    enrol = subscription(region, Channel.ENROL)
    return Grants((enrol,), (enrol, topic_for(AuthorityTopic(region))))


def of_controller(region: RegionName) -> Grants:
    """Return what the control plane may do: everything in its region."""
    everything = topic_for(AuthorityTopic(region)).rpartition("/")[0] + "/#"
    return Grants((everything,), (everything,))
