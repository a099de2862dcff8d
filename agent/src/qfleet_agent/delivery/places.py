"""Which application is at which KME; pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from qfleet_agent.delivery.refusals import BadRequest, Unauthorized


class Recipients(NamedTuple):
    """Who gets a key besides the master: at the other end of ``link``, and here."""

    link: str
    slaves: tuple[str, ...]
    neighbours: tuple[str, ...]


class Places(NamedTuple):
    """Applications (SAE IDs) of this KME, and of others: SAE ID → device."""

    here: frozenset[str]
    elsewhere: Mapping[str, str]

    def admit(self, caller: str | None) -> str:
        """Return the caller if it is an application of this KME. Raises ``Unauthorized``."""
        if caller is None or caller not in self.here:
            raise Unauthorized
        return caller

    def link(self, slave: str) -> str:
        """Return the device at which a slave is. Raises ``BadRequest``."""
        if slave in self.here:
            raise BadRequest("slave_SAE_ID is an application of this KME itself: no link leads there")
        try:
            return self.elsewhere[slave]
        except KeyError:
            raise BadRequest("slave_SAE_ID is not known to this KME") from None

    def recipients(self, caller: str, slave: str, additional: Sequence[str]) -> Recipients:
        """Sort who gets a key by where they are. Raises ``BadRequest``."""
        link = self.link(slave)
        slaves, neighbours = [slave], []
        for one in dict.fromkeys(additional):
            if one == caller:
                raise BadRequest("additional_slave_SAE_IDs has the master itself")
            if one in self.here:
                neighbours.append(one)
            elif self.elsewhere.get(one) != link:
                raise BadRequest(
                    f"additional_slave_SAE_IDs: {one!r} is neither at this KME nor at that of slave_SAE_ID"
                )
            elif one != slave:
                slaves.append(one)
        return Recipients(link, tuple(slaves), tuple(neighbours))
