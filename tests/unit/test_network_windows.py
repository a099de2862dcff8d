"""Contact windows of devices, from the scenario at whose places they stand."""

import pytest
from msgspec.structs import replace

from qfleet_controlplane.network import scenarios, windows
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.surveying import survey
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.ways import Window

TEXT = scenarios.text_of("micius").replace('name = "graz"\n', 'name = "graz"\ndevice = "ogs"\n')
EPOCH = 1_482_105_600_000  # date -u -d 2016-12-19 +%s000


@pytest.fixture(scope="module")
def seated() -> Survey:
    return survey(
        TEXT.replace('name = "micius"\ntransmitter', 'name = "micius"\ndevice = "sat"\ntransmitter'), "x"
    )


def at(*spans_s: tuple[float, float]) -> tuple[Window, ...]:
    return tuple(
        Window(Millis(EPOCH + round(1000 * opens)), Millis(EPOCH + round(1000 * closes)))
        for opens, closes in spans_s
    )


def test_a_station_is_in_contact_while_a_satellite_passes_and_a_satellite_over_every_station(
    seated: Survey,
) -> None:
    found = windows.windows(seated)
    assert set(found) == {"ogs", "sat"}
    # By day, too: it is the network's own traffic that goes there, and not the keys.
    assert found[DeviceName("ogs")] == at(
        *((one.rise_s, one.set_s) for one in seated.passes if one.site == "graz")
    )
    assert len(found[DeviceName("sat")]) == len(seated.passes) == 7
    assert windows.until(seated) == EPOCH + 86_400_000


def test_windows_are_in_order_and_those_that_overlap_are_one(seated: Survey) -> None:
    made = [
        replace(seated.passes[0], site="graz", rise_s=rise_s, set_s=set_s)
        for rise_s, set_s in ((100.0, 200.0), (10.0, 30.0), (30.0, 40.0), (150.0, 160.0), (190.0, 250.0))
    ]
    found = windows.windows(replace(seated, passes=tuple(made), contacts=()))
    assert found[DeviceName("ogs")] == at((10.0, 40.0), (100.0, 250.0))


def test_given_contacts_count_and_computed_ones_are_passes_already(seated: Survey) -> None:
    (night,) = (one for one in seated.contacts if one.site == "graz")
    given = replace(night, origin="planned", start_s=5.0, end_s=9.0)
    found = windows.windows(replace(seated, passes=(), contacts=(night, given)))
    assert found == {DeviceName("ogs"): at((5.0, 9.0)), DeviceName("sat"): at((5.0, 9.0))}


def test_a_device_that_no_satellite_passes_has_no_windows(seated: Survey) -> None:
    assert windows.windows(replace(seated, passes=(), contacts=())) == {}
    assert windows.windows(replace(seated, devices={})) == {}
