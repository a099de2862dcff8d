"""Contact windows: which is open, when the next comes, and what is refused."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.ways import contact as windows
from qfleet_agent.ways import telling
from qfleet_agent.ways.backoff import Backoff
from qfleet_agent.ways.contact import Contact, Outlook, Pass, millis
from qfleet_agent.ways.standing import Standing
from qfleet_agent.ways.way import Way
from qfleet_controlplane.planning import reach
from qfleet_wire.names import Millis
from qfleet_wire.payloads import Contacts
from qfleet_wire.ways import Window

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
T = millis(NOON)
ORBIT = Contact(first=NOON, every_s=5_700, open_s=480)


def outlook(contact: Contact, utc_ms: int, plan: Contacts | None = None) -> Outlook:
    found = windows.outlook(contact, utc_ms, plan)
    assert found is not None
    return found


def passes(*bounds: tuple[int, int]) -> Contact:
    return Contact(
        passes=tuple(
            Pass(opens=NOON + dt.timedelta(seconds=one), closes=NOON + dt.timedelta(seconds=other))
            for one, other in bounds
        )
    )


def test_a_moment_is_milliseconds_since_1970() -> None:
    assert T == 1772366400000  # date -u -d 2026-03-01T12:00:00Z +%s


@pytest.mark.parametrize(
    ("after_s", "present", "returns"),
    [
        (-1, None, 0),
        (0, (0, 480), 5_700),
        (479.999, (0, 480), 5_700),
        (480, None, 5_700),
        (5_699.999, None, 5_700),
        (5_700, (5_700, 6_180), 11_400),
    ],
)
def test_recurring_windows(after_s: float, present: tuple[int, int] | None, returns: int) -> None:
    found = outlook(ORBIT, T + round(after_s * 1000))
    window = None if present is None else Window(T + present[0] * 1000, T + present[1] * 1000)  # type: ignore[arg-type]  # points in time
    assert found == Outlook(window, T + returns * 1000)  # type: ignore[arg-type]  # a point in time


def test_listed_windows_end() -> None:
    contact = passes((10, 20), (30, 50))
    assert outlook(contact, T) == (None, T + 10_000)
    assert outlook(contact, T + 10_000) == (Window(T + 10_000, T + 20_000), T + 30_000)  # type: ignore[arg-type]
    assert outlook(contact, T + 20_000) == (None, T + 30_000)
    assert outlook(contact, T + 49_999).returns is None
    assert outlook(contact, T + 50_000) == (None, None)


@given(st.integers(-10_000_000, 400_000_000), st.floats(1, 7_000), st.floats(0.01, 0.99))
def test_what_recurs_is_what_its_list_would_be(after_ms: int, every_s: float, share: float) -> None:
    contact = Contact(first=NOON, every_s=every_s, open_s=every_s * share)
    every, length = max(1, round(every_s * 1000)), max(1, round(every_s * share * 1000))
    found = outlook(contact, T + after_ms)
    number = max(0, after_ms // every)
    inside = after_ms >= 0 and after_ms - number * every < length
    assert (found.present is not None) == inside
    if found.present is not None:
        assert found.present.opens <= T + after_ms < found.present.closes
    assert found.returns is not None
    assert found.returns > T + after_ms
    assert found.returns - T - after_ms <= max(every, -after_ms)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"first": NOON, "every_s": 10}, "first, every_s and open_s together"),
        ({}, "first, every_s and open_s together"),
        ({"first": NOON, "every_s": 10, "open_s": 10}, "open_s = 10"),
        ({"first": NOON.replace(tzinfo=None), "every_s": 10, "open_s": 1}, "timezone"),
        ({"passes": [{"opens": NOON, "closes": NOON}]}, "closes no later"),
        ({"first": NOON, "passes": [{"opens": NOON, "closes": NOON + dt.timedelta(1)}]}, "keep one kind"),
        (
            {
                "passes": [
                    {"opens": NOON, "closes": NOON + dt.timedelta(2)},
                    {"opens": NOON + dt.timedelta(1), "closes": NOON + dt.timedelta(3)},
                ]
            },
            "apart from each other",
        ),
    ],
)
def test_windows_that_make_no_sense_are_refused(text: dict[str, object], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(text, Contact)


def plan(*bounds: tuple[int, int], until: int) -> Contacts:
    """A plan in seconds after noon."""
    spans = tuple(Window(Millis(T + 1000 * one), Millis(T + 1000 * other)) for one, other in bounds)
    return Contacts(issued=T, until=Millis(T + 1000 * until), windows=spans)


def test_a_plan_goes_before_the_windows_of_the_settings_until_it_ends() -> None:
    contact = Contact(first=NOON, every_s=100, open_s=10, planned=True)
    given = plan((20, 30), (50, 60), until=120)
    assert outlook(contact, T + 5_000) == (Window(T, Millis(T + 10_000)), T + 100_000)
    assert outlook(contact, T + 5_000, given) == (None, T + 20_000)
    assert outlook(contact, T + 25_000, given) == (given.windows[0], T + 50_000)
    # After its last window it is tried when the plan ends, and then the settings say again.
    assert outlook(contact, T + 60_000, given) == (None, T + 120_000)
    assert outlook(contact, T + 120_000, given) == (None, T + 200_000)
    # Settings that do not leave it to a plan are not moved by one.
    alone = Contact(first=NOON, every_s=100, open_s=10)
    assert outlook(alone, T + 5_000, given).present is not None


def test_a_way_that_only_a_plan_speaks_of_is_there_until_one_comes_and_after_it() -> None:
    contact = Contact(planned=True)
    given = plan((20, 30), until=120)
    assert windows.outlook(contact, T) is None
    assert outlook(contact, T, given) == (None, T + 20_000)
    assert windows.outlook(contact, T + 120_000, given) is None
    assert windows.outlook(contact, T + 10_000, plan(until=0)) is None


def test_a_window_that_a_plan_has_closed_is_told_as_the_time_until_the_next() -> None:
    sky = Standing(Way(name="sky", kind="satellite", contact=Contact(planned=True)), Backoff(1.0, 2.0))
    assert not sky.is_planned(T)
    sky.plan = plan((20, 30), until=120)
    told = telling.told(sky, "gateway", since=T, utc_ms=T, beat_ms=1_000)
    assert (told.contact, told.returns, told.planned) == (None, T + 20_000, True)
    assert told.rhythm_ms == 20_000 + 10 * 1_000
    assert reach.gap_ms(told) == told.rhythm_ms
    later = telling.told(sky, "gateway", since=T, utc_ms=Millis(T + 25_000), beat_ms=1_000)
    assert later.contact == sky.plan.windows[0]
    assert later.rhythm_ms == 90_000 + 10 * 1_000
