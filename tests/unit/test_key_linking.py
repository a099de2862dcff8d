"""Links of the twin that join two devices, and the sessions that are planned for them."""

import msgspec
import pytest
from msgspec.structs import replace

from qfleet_agent.qkd.exchange import end
from qfleet_controlplane.network import key_sizing, scenarios
from qfleet_controlplane.network.key_links import KeyLink
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.surveying import survey
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire.key_plans import Line, Pairs, Plan, WeakPulses

RING = scenarios.text_of("metro-ring")
MICIUS = scenarios.text_of("micius")
PAIRED = 'protocol = "bbm92"\npairs = 0.02\nrate_hz'


def seated(text: str, *names: str) -> str:
    for name in names:
        text = text.replace(f'name = "{name}"\n', f'name = "{name}"\ndevice = "at-{name}"\n')
    return text


@pytest.fixture(scope="module")
def ring() -> Survey:
    return survey(seated(RING, "centre", "north", "east"), "ring")


@pytest.fixture(scope="module")
def sky() -> Survey:
    text = MICIUS.replace('name = "micius"\ntransmitter', 'name = "micius"\ndevice = "sat"\ntransmitter')
    return survey(seated(text, "xinglong", "graz"), "sky")


def plans(link: KeyLink) -> list[Plan]:
    lights = [link.light] if link.light is not None else [one.light for one in link.contacts]
    return [
        Plan(
            session="s",
            protocol=replace(link.protocol, key_basis=light.key_basis),
            line=Line(transmittance=light.transmittance, bob=link.bob, pulses_hz=link.pulses_hz),
            blocks=light.blocks,
            block_pulses=light.block_pulses,
            delay_s=link.delay_s,
        )
        for light in lights
    ]


def test_only_links_between_two_devices_are_found(ring: Survey) -> None:
    assert {pair(one.a, one.b) for one in ring.links} == {"centre|north", "east|north"}
    north = next(one for one in ring.links if one.b == "north")
    assert (north.a, north.devices) == ("centre", ("at-centre", "at-north"))
    assert survey(RING, "ring").links == ()


def test_a_fibre_session_gives_its_share_of_the_key_that_the_survey_expects(ring: Survey) -> None:
    # The price of blocks of a million bits instead of an hour's, and of a check basis that is not kept.
    for link in ring.links:
        (fibre,) = (one for one in ring.fibres if pair(one.a, one.b) == pair(link.a, link.b))
        assert link.light is not None
        expected = fibre.secret_bps * link.light.pulses / link.pulses_hz
        assert expected / 5.0 < link.light.bits <= expected
        assert link.bits_per_s == fibre.secret_bps
        assert link.light.qber == pytest.approx(fibre.qber, rel=0.01)


def test_a_pass_gives_a_half_of_its_key_where_bases_are_even(sky: Survey) -> None:
    assert {(one.a, one.b) for one in sky.links} == {("micius", "xinglong"), ("micius", "graz")}
    for link in sky.links:
        volume = {one.start_s: one.clear_bits for one in sky.contacts if one.b == link.b}
        assert [one.start_s for one in link.contacts] == sorted(volume)
        for contact in link.contacts:
            # The survey keeps both bases, a session compares one of them whole.
            assert 0.35 * volume[contact.start_s] < contact.light.bits < 0.6 * volume[contact.start_s]


@pytest.mark.parametrize("text", [RING, RING.replace("rate_hz", PAIRED)], ids=["bb84", "bbm92"])
def test_devices_take_the_plans(text: str, sky: Survey) -> None:
    found = survey(seated(text, "centre", "north"), "ring").links + sky.links
    assert isinstance(found[0].protocol, Pairs if "bbm92" in text else WeakPulses)
    for link in found:
        for plan in plans(link):
            end.checked(plan)  # raises where a block or the session is too large for a device
            assert plan.line.transmittance <= 1.0
            assert end.most_sifted(plan) < 2 * key_sizing.SIFTED_BITS


def test_what_the_survey_says_of_links_is_read_again(sky: Survey) -> None:
    assert msgspec.json.decode(msgspec.json.encode(sky), type=Survey) == sky


def test_light_takes_its_time(ring: Survey, sky: Survey) -> None:
    north = next(one for one in ring.links if one.b == "north")
    assert north.delay_s == pytest.approx(14.2 * 4.9e-6, rel=0.01)
    assert all(0.5e6 < 3e8 * one.delay_s < 2e6 for one in sky.links)
