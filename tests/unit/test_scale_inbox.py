"""The service's inbox: devices take turns, what is superseded waits once, a lane is bounded."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_controlplane.machine import events
from qfleet_controlplane.service import inbox
from qfleet_controlplane.service.inbox import Entry, Inbox
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, Millis, TaskId

NOISY = DeviceName("noisy")
CALM = tuple(DeviceName(f"calm-{number}") for number in range(10))


def beat(sent: int) -> payloads.Heartbeat:
    return payloads.Heartbeat(Millis(sent), 1, 0.0, 1, 1, 0, 0, 0)


def result(task: str, body: int = 0) -> payloads.Results:
    told = payloads.TaskResult(TaskId(task), 1, "failed", error="x" * body)
    return payloads.Results((msgspec.Raw(codec.encode(told)),), b"signature")


def heard(device: DeviceName, *items: payloads.Up) -> Entry:
    return Entry(events.HeardBatch(device, items))


def items_of(entries: Sequence[Entry], device: DeviceName) -> list[payloads.Up]:
    found: list[payloads.Up] = []
    for entry in entries:
        match entry.event:
            case events.HeardBatch(name, items) if name == device:
                found += items
            case events.Heard(name, item) if name == device:
                found.append(item)
    return found


def drain(box: Inbox) -> list[list[Entry]]:
    rounds = []
    while len(box):
        rounds.append(box.take())
    return rounds


def test_a_flood_delays_the_calm_by_no_round() -> None:
    box = Inbox()
    for number in range(100_000):
        box.put(heard(NOISY, payloads.Progress(TaskId(f"job-{number % 5_000}"), 1, number / 100_000)))
    for device in CALM:
        box.put(heard(device, beat(1)))
    first = box.take()
    assert all(items_of(first, device) == [beat(1)] for device in CALM)
    left = [item for entries in [first, *drain(box)] for item in items_of(entries, NOISY)]
    assert (
        Counter(item.task for item in left if isinstance(item, payloads.Progress)).most_common(1)[0][1] == 1
    )
    assert {item.fraction for item in left if isinstance(item, payloads.Progress)} == {
        number / 100_000 for number in range(95_000, 100_000)
    }
    assert box.superseded == 95_000
    assert box.dropped == 0


def test_a_calm_device_that_comes_amid_a_flood_is_in_the_next_round() -> None:
    box = Inbox()
    for number in range(inbox.LANE_FULL):
        box.put(heard(NOISY, result(f"job-{number}")))
    rounds = 0
    while len(box) > inbox.MOST_ITEMS:
        for device in CALM:
            box.put(heard(device, beat(rounds)))
        taken = box.take()
        assert all(items_of(taken, device) == [beat(rounds)] for device in CALM)
        assert len(items_of(taken, NOISY)) >= inbox.MOST_ITEMS - inbox.TURN_ITEMS
        rounds += 1
    assert rounds > 2


def test_a_lane_is_bounded_and_says_so() -> None:
    box = Inbox()
    accepted = [box.put(heard(NOISY, result(f"job-{number}"))) for number in range(inbox.LANE_FULL + 100)]
    assert accepted.count(False) == 100 == box.dropped
    assert not any(accepted[inbox.LANE_FULL :])
    # What is bounded by itself still comes in, and so does everybody else.
    assert box.put(heard(NOISY, beat(7)))
    assert box.put(heard(CALM[0], beat(8)))
    everything = [item for entries in drain(box) for item in items_of(entries, NOISY)]
    assert len(everything) == inbox.LANE_FULL + 1
    assert everything[-1] == beat(7)


def test_large_results_count_for_more() -> None:
    box = Inbox()
    size = 1 << 18
    while box.put(heard(NOISY, result(f"job-{len(box)}", size))):
        pass
    assert len(box) * 4096 <= 2 * inbox.LANE_FULL * 4096
    assert len(drain(box)[0]) < 64


def test_when_very_much_waits_in_all_a_device_keeps_one_turn_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "ALL_FULL", 1_000)
    box = Inbox()
    for number in range(1_000):
        assert box.put(heard(DeviceName(f"d-{number}"), beat(number)))
    kept = sum(box.put(heard(NOISY, result(f"job-{number}"))) for number in range(1_000))
    assert kept == inbox.TURN_ITEMS


def test_the_last_inventory_announcement_and_presence_count() -> None:
    box, device = Inbox(), CALM[0]
    for number in range(3):
        box.put(Entry(events.SessionOpened(device)))
        box.put(heard(device, payloads.Inventory(((TaskId("t"), number),), ()), result(f"t-{number}")))
        box.put(Entry(events.PresenceLost(device)))
    told = [entry.event for entry in box.take()]
    assert told == [
        events.Heard(device, result("t-0")),
        events.Heard(device, result("t-1")),
        events.SessionOpened(device),
        events.HeardBatch(device, [payloads.Inventory(((TaskId("t"), 2),), ()), result("t-2")]),
        events.PresenceLost(device),
    ]


def test_what_people_ask_goes_first_and_is_never_dropped() -> None:
    async def main() -> None:
        box = Inbox()
        for number in range(inbox.LANE_FULL):
            box.put(heard(NOISY, result(f"job-{number}")))
        done = asyncio.get_running_loop().create_future()
        revoked = Entry(events.Revoked(NOISY, "", "me"), done)
        assert box.put(revoked)
        assert box.take()[0] is revoked

    asyncio.run(main())


def test_what_is_put_back_comes_first_and_in_order() -> None:
    box = Inbox()
    box.put(heard(CALM[0], beat(1)))
    taken = box.take()
    box.put(heard(CALM[0], beat(2)))
    box.put_back([*taken, Entry(events.Tick())])
    again = [entry.event for entry in box.take()]
    assert again == [
        events.HeardBatch(CALM[0], (beat(1),)),
        events.Tick(),
        events.HeardBatch(CALM[0], (beat(2),)),
    ]
    assert len(box) == 0


def test_room_and_bell_follow_what_waits() -> None:
    async def main() -> None:
        box = Inbox()
        waiting = asyncio.create_task(box.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        for lane in range(5):
            for number in range(4_000):
                box.put(heard(DeviceName(f"d-{lane}"), result(f"job-{number}")))
        await waiting
        assert len(box) == inbox.FULL
        room = asyncio.create_task(box.room())
        await asyncio.sleep(0)
        assert not room.done()
        box.take()
        await room
        drain(box)
        waiting = asyncio.create_task(box.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(main())


STEP = st.one_of(
    st.builds(beat, st.integers(0, 3)),
    st.integers(0, 3).map(lambda number: result(f"job-{number}")),
    st.builds(payloads.Accepted, st.sampled_from(["a", "b"]).map(TaskId), st.integers(1, 2)),
)
PUT = st.tuples(st.sampled_from([NOISY, *CALM[:2]]), st.lists(STEP, max_size=400))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(PUT, st.none()), max_size=30))
def test_results_keep_their_order_and_nothing_that_is_not_superseded_is_lost(
    script: list[tuple[DeviceName, list[payloads.Up]] | None],
) -> None:
    box = Inbox()
    put: dict[DeviceName, list[payloads.Up]] = {}
    got: dict[DeviceName, list[payloads.Up]] = {}

    def take() -> None:
        taken = box.take()
        for device in (NOISY, *CALM):
            got.setdefault(device, []).extend(items_of(taken, device))

    for step in script:
        if step is None:
            take()
        else:
            put.setdefault(step[0], []).extend(step[1])
            box.put(heard(step[0], *step[1]))
    while len(box):
        take()
    assert box.dropped == 0
    for device, items in put.items():
        results = [item for item in items if isinstance(item, payloads.Results)]
        assert [item for item in got.get(device, []) if isinstance(item, payloads.Results)] == results
        assert set(map(codec.encode, got.get(device, []))) <= set(map(codec.encode, items))
        beats = [item for item in items if isinstance(item, payloads.Heartbeat)]
        if beats:
            assert [item for item in got[device] if isinstance(item, payloads.Heartbeat)][-1] == beats[-1]
        accepted = {item for item in items if isinstance(item, payloads.Accepted)}
        assert {item for item in got.get(device, []) if isinstance(item, payloads.Accepted)} == accepted
