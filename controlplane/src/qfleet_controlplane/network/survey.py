"""What follows from a scenario: passes, contacts, what its demands want. Made once, when it is loaded.

Plain data without arrays: whoever reads it needs no numpy.
"""

import msgspec

from qfleet_controlplane.network.key_links import KeyLink
from qfleet_controlplane.network.scenario.model import Repeaters
from qfleet_controlplane.network.twin.model import Network, Supply, Want
from qfleet_wire.api.network import ContactView, NetworkLinkView, NetworkSiteView, PassView


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario and what was computed of it. Contacts stand in order of start and bear their position."""

    name: str
    title: str
    epoch_ms: int
    duration_s: float
    sites: tuple[NetworkSiteView, ...]
    fibres: tuple[NetworkLinkView, ...]
    satellites: tuple[str, ...]
    passes: tuple[PassView, ...]
    contacts: tuple[ContactView, ...]
    wants: tuple[Want, ...]
    capacity_bits: float = 1e9
    repeaters: Repeaters = Repeaters()
    devices: dict[str, str] = {}
    """Which device is at which node, by node."""
    links: tuple[KeyLink, ...] = ()
    """Over which two devices can make keys."""

    @property
    def nodes(self) -> frozenset[str]:
        """Names of sites and satellites."""
        return frozenset(site.name for site in self.sites) | frozenset(self.satellites)


def network_of(survey: Survey) -> Network:
    """Return what the twin runs."""
    return Network(
        name=survey.name,
        duration_s=survey.duration_s,
        supplies=tuple(_supply(contact) for contact in survey.contacts),
        wants=tuple(sorted(survey.wants, key=lambda want: -want.priority)),
        capacity_bits=survey.capacity_bits,
    )


def _supply(contact: ContactView) -> Supply:
    return Supply(
        number=contact.number,
        a=contact.a,
        b=contact.b,
        kind=contact.kind,
        start_s=contact.start_s,
        end_s=contact.end_s,
        bits=contact.clear_bits,
        qber=contact.qber,
        site=contact.site,
        cover=contact.cover,
    )
