"""What is left to expect of a survey while something is wrong with its links in the twin."""

from collections.abc import Iterable

from msgspec.structs import replace

from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.twin.eavesdropping import qber_with, shortening
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire.api.network import ContactView, FaultView


def remaining(survey: Survey, faults: Iterable[FaultView], at_s: float) -> Survey:
    """Return a survey whose faulty links give as much as they do now, for as long as nobody mends them.

    Contacts that were over at ``at_s`` stay as they were; of one that is under way nothing is counted on
    where its link has failed, as its block may never be distilled.
    """
    wrong = {pair(one.a, one.b): one for one in faults}
    if not wrong:
        return survey
    contacts = (_left(one, wrong.get(pair(one.a, one.b)), at_s) for one in survey.contacts)
    return replace(survey, contacts=tuple(contacts))


def _left(contact: ContactView, fault: FaultView | None, at_s: float) -> ContactView:
    if fault is None or contact.end_s <= at_s:
        return contact
    share = 0.0
    if fault.fault == "intercepted":
        share = shortening(contact.qber, qber_with(contact.qber, fault.share))
    return replace(
        contact, expected_bits=share * contact.expected_bits, clear_bits=share * contact.clear_bits
    )
