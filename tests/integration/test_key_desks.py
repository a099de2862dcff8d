"""Sessions as key processes run them: both ends get the key or neither, whatever is lost or restarted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration import key_desks
from tests.integration.key_desks import Both

from qfleet_agent.keyservice import parcels, reporting
from qfleet_agent.keystore.issuing import Order
from qfleet_agent.keystore.store import Call, Store
from qfleet_agent.qkd.exchange import effects
from qfleet_agent.qkd.exchange.effects import Record
from qfleet_agent.qkd.exchange.messages import Held
from qfleet_agent.qkd.exchange.postbox import Postbox
from qfleet_agent.qkd.exchange.settling import Restored
from qfleet_agent.qkd.exchange.states import State
from qfleet_agent.qkd.quantum.simulated import SimulatedDevice
from qfleet_wire import key_orders
from qfleet_wire.key_orders import Eavesdropper, ExchangeEnded, Stock
from qfleet_wire.names import DeviceName, Millis


def on_both(folder: Path, scenario: Callable[[Both], Awaitable[None]], *, lost: float = 0.0) -> None:
    async def run() -> None:
        async with key_desks.desks(folder, lost=lost) as both:
            await scenario(both)

    asyncio.run(run())


async def agreed(both: Both, session: str) -> bool:
    """Whether both have the key; that they differ is never possible."""
    left, right = [await key_desks.material(end, session) for end in (both.left, both.right)]
    assert left == right
    return left is not None


def test_an_order_gives_both_ends_the_same_key(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        await both.order(key_desks.plan("s1"))
        told = [await end.ended("s1") for end in (both.left, both.right)]
        await both.quiet()
        assert await agreed(both, "s1")
        assert {one.outcome for one in told} == {"key"}
        assert [one.simulated for one in told] == [True, True]
        assert told[0].bits == told[1].bits == 8 * await both.left.stock() > 1000
        assert all(0 < one.error_rate < 0.05 and one.sifted > one.bits and one.leak_bits for one in told)
        stocks = [report for report in both.left.reports.values() if isinstance(report, Stock)]
        assert stocks[-1].links[0].all_bits in {0, told[0].bits}

    on_both(tmp_path, scenario)


def test_a_report_says_of_its_light_what_the_device_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimulatedDevice, "simulated", False)

    async def scenario(both: Both) -> None:
        await both.order(key_desks.plan("s1"))
        assert [(await end.ended("s1")).simulated for end in (both.left, both.right)] == [False, False]
        await both.order(msgspec.structs.replace(key_desks.plan("s2"), authentication="tagged"))
        late = await both.left.ended("s2")
        assert (late.reason, late.simulated) == ("refused", None)
        await both.quiet()

    on_both(tmp_path, scenario)


def test_a_session_that_is_settled_after_a_restart_says_what_it_said_before() -> None:
    for simulated in (True, False):
        record = Record(role="alice", plan=key_desks.plan("s1"), state=State.GONE, simulated=simulated)
        end, stored = Restored(record, None), effects.Destroy(record)
        report = reporting.ended("s1", DeviceName("peer"), end, stored, ())
        assert report is not None
        body = key_orders.report(report.body)
        assert isinstance(body, ExchangeEnded)
        assert body.simulated is simulated


def test_the_same_order_again_makes_no_second_key(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        for _ in range(2):
            await both.order(key_desks.plan("s1"))
        await both.left.ended("s1")
        await both.quiet()
        held = await both.left.stock()
        await both.order(key_desks.plan("s1"))
        await asyncio.sleep(3 * key_desks.NUDGE_S)
        await both.quiet()
        assert await both.left.stock() == held

    on_both(tmp_path, scenario)


def test_lost_messages_are_said_again(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        await both.order(key_desks.plan("s1"))
        assert (await both.left.ended("s1")).outcome == "key"
        await both.quiet()
        assert await agreed(both, "s1")

    on_both(tmp_path, scenario, lost=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_ends_that_restart_anywhere_converge(tmp_path: Path, seed: int) -> None:
    """An end is stopped after so many messages, and starts again from its store."""

    async def scenario(both: Both) -> None:
        moment = asyncio.create_task(both.post.passes(3 + 4 * seed))
        await both.order(key_desks.plan("s1"))
        victim = (both.left, both.right)[seed % 2]
        await moment
        await victim.stop()
        await victim.start()
        told = [await end.ended("s1") for end in (both.left, both.right)]
        await both.quiet()
        made = await agreed(both, "s1")
        assert {one.outcome for one in told} == {"key" if made else "aborted"}

    on_both(tmp_path, scenario)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@pytest.mark.parametrize("victim", ["left", "right"])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_a_process_that_ends_at_any_commit_leaves_no_key_at_one_end_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, commits: int, done: bool, victim: str
) -> None:
    """It ends right before or right after a commit of the exchange is durable; the other end lives on."""
    whole = Store.batch
    counted = 0

    async def scenario(both: Both) -> None:
        end = both.left if victim == "left" else both.right
        assert end.keeper is not None
        store = end.keeper._store
        down: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def cut(self: Store, calls: Sequence[Call]) -> list[Any]:
            nonlocal counted
            if self is not store:
                return whole(self, calls)
            if counted >= commits:
                raise key_desks.Gone
            before = self._database.total_changes
            found = whole(self, calls)
            changes = self._database.execute("SELECT count(*) FROM key_sessions").fetchone()[0]
            counted += self._database.total_changes > before and changes > 0
            if counted >= commits:
                down.get_loop().call_soon_threadsafe(_settle, down)
                if not done:
                    raise key_desks.Gone
            return found

        monkeypatch.setattr(Store, "batch", cut)
        await both.order(key_desks.plan("s1"))
        async with asyncio.timeout(key_desks.LIMIT_S):
            await down
        await end.stop()
        monkeypatch.setattr(Store, "batch", whole)
        await end.start()
        await both.order(key_desks.plan("s1"))
        told = [await end.ended("s1") for end in (both.left, both.right)]
        await both.quiet()
        made = await agreed(both, "s1")
        assert {one.outcome for one in told} == {"key" if made else "aborted"}

    on_both(tmp_path, scenario)


def test_an_end_that_is_not_restored_yet_says_of_no_session_that_it_is_unknown(tmp_path: Path) -> None:
    """Who hears that would destroy a key that this end has released."""

    async def scenario(both: Both) -> None:
        moment = asyncio.create_task(both.post.passes(1))
        await both.right.stop()
        await both.order_left(key_desks.plan("s1"))
        await moment
        await both.left.stop()
        await both.left.start()
        for task in both.left._tasks:
            task.cancel()
        assert both.left.desk is not None
        before = both.post.passed
        for session, answers in (("s1", 0), ("another", 1)):
            held = Postbox(session, "bob", None).settling(Held(b"transcript"))
            await both.left.desk.heard(both.left.peer, parcels.Exchanged(held))
            assert both.post.passed - before == answers

    on_both(tmp_path, scenario)


def test_an_eavesdropper_is_named_and_leaves_no_key(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        await both.order(key_desks.plan("s1"), Eavesdropper(kind="intercept", share=1.0))
        told = [await end.ended("s1") for end in (both.left, both.right)]
        await both.quiet()
        assert not await agreed(both, "s1")
        assert {one.outcome for one in told} == {"aborted"}
        alice = told[0]
        assert "error" in alice.seen
        assert alice.error_rate > 0.2
        assert await both.left.stock() == await both.right.stock() == 0

    on_both(tmp_path, scenario)


def test_one_who_listens_to_little_only_shortens_the_key(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        await both.order(key_desks.plan("quiet"))
        alone = await both.left.ended("quiet")
        await both.order(key_desks.plan("heard"), Eavesdropper(kind="intercept", share=0.03))
        heard = await both.left.ended("heard")
        assert heard.outcome == "key"
        assert 0 < heard.bits < 0.9 * alone.bits

    on_both(tmp_path, scenario)


def test_a_report_waits_until_the_control_plane_has_it_even_over_a_restart(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        both.left.listened.clear()
        await both.order(key_desks.plan("s1"))
        await both.right.ended("s1")
        await both.quiet()
        await both.left.stop()
        assert not [one for one in both.left.reports.values() if isinstance(one, ExchangeEnded)]
        both.left.listened.set()
        await both.left.start()
        assert (await both.left.ended("s1")).outcome == "key"

    on_both(tmp_path, scenario)


def test_what_cannot_begin_is_reported_and_never_begins(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        assert both.left.desk is not None
        late = key_orders.Exchange(
            plan=key_desks.plan("late"), peer=both.left.peer, role="alice", expires=Millis(both.clock() - 1)
        )
        tagged = msgspec.structs.replace(
            late,
            plan=msgspec.structs.replace(key_desks.plan("tagged"), authentication="tagged"),
            expires=Millis(both.clock() + 1000),
        )
        for name, body in (("late", late), ("tagged", tagged)):
            await both.left.desk.ordered(name, key_orders.encode(body))
        assert "expired" in (await both.left.ended("late")).seen
        assert "sealed only" in (await both.left.ended("tagged")).seen
        await both.left.desk.ordered("nonsense", b"\xc1")
        await both.left.desk.heard(both.left.peer, parcels.Exchanged(b"nonsense"))

    on_both(tmp_path, scenario)


def test_a_session_that_nobody_answers_ends_with_its_time(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        await both.right.stop()
        assert both.left.desk is not None
        body = key_orders.Exchange(
            plan=key_desks.plan("s1"), peer=both.left.peer, role="alice", expires=Millis(both.clock() + 1000)
        )
        await both.left.desk.ordered("s1", key_orders.encode(body))
        both.clock.pass_ms(2000)
        ended = await both.left.ended("s1")
        assert (ended.outcome, ended.reason) in {("aborted", "expired"), ("aborted", "refused")}

    on_both(tmp_path, scenario)


def test_the_stock_says_what_each_application_has_taken(tmp_path: Path) -> None:
    async def scenario(both: Both) -> None:
        await both.order(key_desks.plan("s1"))
        await both.left.ended("s1")
        await both.quiet()
        assert both.left.keeper is not None
        assert both.left.desk is not None
        names = tuple(number.to_bytes(16, "big") for number in range(2))
        expires = Millis(both.clock() + 1000)
        await both.left.keeper.issue(Order(both.left.peer, "alice", ("bob",), (), names, 32, expires))
        (stock,) = (await both.left.desk._stock()).links
        assert stock.uses == (key_orders.Use(application="alice", issued_bits=512, issued_keys=2),)
        assert stock.used_bits == 512

    on_both(tmp_path, scenario)
