"""From the settings of a way, and what the device holds of its fleet, to a gateway it can connect to."""

from dataclasses import replace

from qfleet_agent.errors import SettingsInvalid
from qfleet_agent.journal.membership import Membership
from qfleet_agent.link import broker
from qfleet_agent.link.helm import Gateway
from qfleet_agent.settings import Link
from qfleet_agent.ways.way import Way


def gateway(way: Way, link: Link, held: Membership) -> Gateway:
    """Put the address of a way's broker together; the login is the device's own, whatever the way.

    Raises:
        SettingsInvalid: the way leads to another region, or its broker or certificates cannot be used.
    """
    if way.region not in {None, held.region}:
        raise SettingsInvalid(
            f"way {way.name!r} leads to region {way.region!r}, but this device belongs to {held.region!r}: "
            "name a gateway of that region, or enrol the device anew, by another name, where it shall belong"
        )
    address = broker.parse(
        way.broker or link.broker or held.broker,
        login=held.login,
        password=held.password,
        ca_file=way.ca_file or link.ca_file,
    )
    watchful = len(link.routes) > 1 and not way.manner.thrifty
    nodes = [replace(node, source=way.source, watchful=watchful) for node in address.nodes]
    made = replace(nodes[0], others=tuple(nodes[1:]))
    broker.check(made, "link.ca_file" if way.ca_file is None else f"ca_file of way {way.name!r}")
    return Gateway(way, made)
