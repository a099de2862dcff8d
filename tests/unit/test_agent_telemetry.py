"""The ring of telemetry: numbers are given once, the oldest goes first, and every loss is counted."""

from collections.abc import Iterator

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_agent_machine import ANNOUNCEMENT, BOUNDS, NOW, assign, heard

from qfleet_agent.machine import effects, events
from qfleet_agent.machine.effects import Effect
from qfleet_agent.machine.machine import Machine
from qfleet_agent.machine.telemetry import BATCH, KEPT_WHEN_FULL, PATIENCE_MS, Ring
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, Millis

SAMPLE = payloads.Sample(0, Millis(5), 0.5, 1, 2, 3, 0, 0)
START = events.StoredTelemetry((), 1000, 1000, 0)


def machine(stored: events.StoredTelemetry = START, reserve: int = 64 << 20) -> Machine:
    bounds = msgspec.structs.replace(BOUNDS, disk_reserve_bytes=reserve)
    one = Machine(DeviceName("d"), bounds, ANNOUNCEMENT)
    one.handle(events.Restored(1, 0, [], [], stored), NOW)
    return one


def sample(one: Machine, count: int, now: Millis = NOW) -> list[Effect]:
    return [effect for _ in range(count) for effect in one.handle(events.Sampled(2, SAMPLE), now)]


def test_samples_are_written_together_and_only_then_sent() -> None:
    one = machine()
    one.handle(events.SessionOpened(1), NOW)
    first, _ = sample(one, 1)  # sets numbers aside for those that gather from now on
    assert isinstance(first, effects.SaveTelemetry)
    assert (first.next, first.reserved) == (1001, 1001 + BATCH)
    assert sample(one, BATCH - 1) == []
    saved, sent = sample(one, 1)
    assert isinstance(saved, effects.SaveTelemetry)
    assert [number for number, _ in saved.samples] == list(range(1001, 1001 + BATCH))
    assert [codec.decode(body, payloads.Sample).sequence for _, body in saved.samples] == [
        number for number, _ in saved.samples
    ]
    assert (saved.next, saved.reserved) == (1001 + BATCH, 1001 + 2 * BATCH)
    assert sent == effects.SendTelemetry(2, after=999, lost=0)


def test_a_sample_that_nobody_follows_is_written_after_some_minutes() -> None:
    one = machine()
    sample(one, 1)
    assert sample(one, 1) == []
    (saved,) = sample(one, 1, Millis(NOW + PATIENCE_MS))
    assert isinstance(saved, effects.SaveTelemetry)
    assert len(saved.samples) == 2


def test_what_is_acknowledged_is_dropped_and_the_rest_follows() -> None:
    stored = events.StoredTelemetry([(1, 700), (750, 800)], 801, 801, 0)
    one = machine(stored)
    wanted = one.handle(events.SessionOpened(1), NOW)
    assert wanted[-1] == effects.SendTelemetry(1, after=0, lost=0)
    acknowledged = one.handle(heard(payloads.TelemetryAcknowledge(500)), NOW)
    assert [type(one) for one in acknowledged] == [effects.SendTelemetry]
    assert acknowledged[0].after == 500  # type: ignore[union-attr]  # the line above
    assert one.handle(heard(payloads.TelemetryAcknowledge(400)), NOW) == []
    assert one.telemetry_held == 251
    assert one.handle(heard(payloads.TelemetryAcknowledge(800)), NOW) == []
    (saved, *_) = sample(one, 1)
    assert isinstance(saved, effects.SaveTelemetry)
    assert saved.drop_to == 800


def test_an_older_controller_gets_none_until_the_next_session() -> None:
    one = machine(events.StoredTelemetry([(1, 5)], 6, 6, 0))
    one.handle(events.SessionOpened(1), NOW)
    assert one.handle(heard(payloads.Unsupported("telemetry")), NOW) == []
    assert [type(effect) for effect in sample(one, 1)] == [effects.SaveTelemetry]
    one.handle(events.SessionLost(3), NOW)
    assert any(
        isinstance(effect, effects.SendTelemetry) for effect in one.handle(events.SessionOpened(4), NOW)
    )


def test_a_short_disk_takes_telemetry_first_oldest_first_and_counts() -> None:
    one = machine(events.StoredTelemetry([(1, 100)], 101, 101, 3))
    saved, told = one.handle(events.Measured(2, 1 << 20, None), NOW)
    assert isinstance(saved, effects.SaveTelemetry)
    assert saved.drop_to == 100 - KEPT_WHEN_FULL
    assert saved.lost == one.telemetry_lost == 3 + 100 - KEPT_WHEN_FULL
    assert isinstance(told, effects.Report)
    assert one.handle(events.Measured(2, 1 << 20, None), NOW) == []
    assert one.handle(events.Measured(2, 1 << 40, None), NOW) == []


def test_a_journal_that_is_full_takes_no_new_task_until_it_is_measured_again() -> None:
    one = machine()
    one.handle(events.JournalFull(1), NOW)
    (refused,) = one.handle(heard(assign()), NOW)
    assert isinstance(refused, effects.Send)
    assert isinstance(refused.payload, payloads.Refused)
    assert refused.payload.code == "disk"
    one.handle(events.Measured(2, 1 << 40, None), NOW)
    again = one.handle(heard(assign(attempt=2)), NOW)
    assert isinstance(again[0], effects.SaveTask)


def test_a_clean_stop_leaves_no_gap_and_a_cut_counts_what_it_may_have_taken() -> None:
    one = machine()
    sample(one, 3)
    (stopped,) = one.handle(events.Stopping(3), NOW)
    assert isinstance(stopped, effects.SaveTelemetry)
    assert (stopped.next, stopped.reserved, len(stopped.samples)) == (1003, 1003, 2)
    cut = Ring()
    cut.restore(events.StoredTelemetry([(1000, 1009)], 1010, 1020, 0))
    assert cut.lost == 10
    cut.take(SAMPLE, NOW)
    assert cut.save(1).samples[0][0] == 1020


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 40)),
        st.tuples(st.just("acknowledge"), st.integers(0, 300)),
        st.tuples(st.just("shed"), st.integers(0, 30)),
        st.tuples(st.just("save"), st.just(0)),
        st.tuples(st.just("cut"), st.just(0)),
        st.tuples(st.just("stop"), st.just(0)),
    ),
    max_size=40,
)


class Disk:
    """What a journal would hold, by number."""

    def __init__(self) -> None:
        self.rows: set[int] = set()
        self.numbers = (1, 1, 0)

    def write(self, saved: effects.SaveTelemetry) -> None:
        self.rows |= {number for number, _ in saved.samples}
        self.rows = {number for number in self.rows if number > saved.drop_to}
        self.numbers = (saved.next, saved.reserved, saved.lost)

    def load(self) -> Ring:
        ring = Ring(64)
        ring.restore(events.StoredTelemetry(list(self._runs()), *self.numbers))
        return ring

    def _runs(self) -> Iterator[tuple[int, int]]:
        first = last = None
        for number in sorted(self.rows):
            if last is not None and number == last + 1:
                last = number
                continue
            if first is not None and last is not None:
                yield first, last
            first = last = number
        if first is not None and last is not None:
            yield first, last


def take(ring: Ring, count: int, disk: Disk, given_out: set[int]) -> None:
    for _ in range(count):
        ring.take(SAMPLE, NOW)
        if ring.due(NOW):
            saved = ring.save(1)
            fresh = {number for number, _ in saved.samples}
            assert not fresh & given_out
            given_out |= fresh
            disk.write(saved)


@settings(max_examples=150)
@given(ACTIONS)
def test_whatever_happens_no_number_comes_twice_and_nothing_goes_uncounted(
    actions: list[tuple[str, int]],
) -> None:
    disk = Disk()
    ring, taken, acknowledged, given_out = disk.load(), 0, 0, set[int]()
    for action, number in actions:
        match action:
            case "take":
                take(ring, number, disk, given_out)
                taken += number
            case "acknowledge":
                before = len(ring)
                ring.acknowledge(number)
                acknowledged += before - len(ring)
            case "shed":
                ring.shed(number)
                assert len(ring) <= number
            case "save":
                disk.write(ring.save(1))
            case "stop":
                for effect in ring.stop(1):
                    assert isinstance(effect, effects.SaveTelemetry)
                    disk.write(effect)
                ring = disk.load()
            case "cut":
                ring = disk.load()
        # A cut may count more as lost than it took, and bring back what was acknowledged; never less.
        assert len(ring) + ring.lost + acknowledged >= taken
        assert len(ring) <= 64
