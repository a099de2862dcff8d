"""The plan of a session of a link: from what was computed when the scenario was loaded, without a formula."""

from msgspec.structs import replace

from qfleet_controlplane.errors import Conflict, InvalidRequest
from qfleet_controlplane.network.key_links import KeyContact, KeyLink, Light
from qfleet_wire.key_plans import Line, Plan

FEWEST_PULSES = 1_000_000


def contact(link: KeyLink, at_s: float) -> KeyContact | None:
    """The contact that a link is in."""
    return next((one for one in link.contacts if one.start_s <= at_s < one.end_s), None)


def light(link: KeyLink, at_s: float) -> Light:
    """What a session of a link sends now.

    Raises:
        Conflict: the link has no contact now.
    """
    if link.light is not None:
        return link.light
    within = contact(link, at_s)
    if within is None:
        later = [one.start_s for one in link.contacts if one.start_s > at_s]
        when = f"the next begins {later[0] - at_s:,.0f} s later" if later else "no other comes"
        raise Conflict(
            f"{link.a} and {link.b} have no contact at {at_s:,.0f} s of the scenario: {when}",
            hint=f"`qfleet network contacts --node {link.a} --node {link.b}` shows all of them",
        )
    return within.light


def plan(link: KeyLink, sent: Light, session: str, *, path_s: float, pulses: int | None = None) -> Plan:
    """The plan of one session; ``path_s`` is added to the delay of light, for what lies between.

    ``pulses`` takes fewer than are planned, in as many blocks as those need.

    Raises:
        InvalidRequest: there are too few pulses, or more than a session takes.
    """
    if pulses is not None and not FEWEST_PULSES <= pulses <= sent.pulses:
        raise InvalidRequest(
            f"pulses = {pulses:,} must lie in [{FEWEST_PULSES:,}, {sent.pulses:,}]: so many does a session "
            f"of {link.a} and {link.b} take",
            hint="leave it out for as many as are planned",
            field="pulses",
        )
    wanted = sent.pulses if pulses is None else pulses
    blocks = -(-wanted // sent.block_pulses)
    return Plan(
        session=session,
        protocol=replace(link.protocol, key_basis=sent.key_basis),
        line=Line(transmittance=sent.transmittance, bob=link.bob, pulses_hz=link.pulses_hz),
        blocks=blocks,
        block_pulses=wanted // blocks,
        delay_s=link.delay_s + path_s,
    )
