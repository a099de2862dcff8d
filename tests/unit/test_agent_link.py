"""The pure parts of the link: waits, what is in line, broker addresses, when certificates renew."""

import asyncio
import contextlib
import struct
from collections.abc import Callable
from typing import cast

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.errors import SettingsInvalid
from qfleet_agent.link import broker, network, renewals
from qfleet_agent.link.outgoing import HINTS_KEPT, Outgoing
from qfleet_agent.ways.backoff import Backoff
from qfleet_wire import codec, payloads
from qfleet_wire.names import Millis, TaskId


def chance(share: float) -> Callable[[int], bytes]:
    """A random source that always gives the same share of its range."""
    return lambda count: int(share * (2 ** (8 * count) - 1)).to_bytes(count, "big")


MIDDLE = chance(0.5)


def test_waits_double_from_base_to_most() -> None:
    backoff = Backoff(5.0, 120.0)
    waits = [backoff.next_s(0.0, MIDDLE) for _ in range(7)]
    assert waits == pytest.approx([5, 10, 20, 40, 80, 120, 120], rel=1e-6)


def test_the_network_hastens_an_attempt_but_never_more_than_one_per_base() -> None:
    backoff = Backoff(5.0, 120.0)
    for _ in range(6):
        backoff.next_s(1000.0, MIDDLE)
    assert backoff.hurried_s(1060.0, chance(0)) == 0.0
    assert backoff.hurried_s(1060.0, chance(1)) == pytest.approx(1.0)
    assert backoff.hurried_s(1001.0, chance(0)) == pytest.approx(4.0)


def netlink(kind: int, flags: int = 0) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, 2, flags, 0)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def test_new_addresses_and_routes_and_running_links_mean_that_the_network_is_up() -> None:
    up, running, loopback = 0x1, 0x40, 0x8
    assert network.says_up(netlink(20))
    assert network.says_up(netlink(24))
    assert network.says_up(netlink(16, up | running))
    assert network.says_up(netlink(16, up) + netlink(20))
    for nothing in (
        netlink(16, up),
        netlink(16, up | running | loopback),
        netlink(17, up | running),
        netlink(21),
    ):
        assert not network.says_up(nothing)


@given(st.binary(max_size=100))
def test_whatever_the_kernel_says_is_read_without_an_error(datagram: bytes) -> None:
    assert network.says_up(datagram) in {True, False}


@given(st.floats(0, 1), st.integers(0, 200))
def test_every_wait_is_within_half_of_its_middle(share: float, failures: int) -> None:
    backoff, middle = Backoff(5.0, 120.0), Backoff(5.0, 120.0)
    for _ in range(failures):
        backoff.next_s(0.0, MIDDLE)
        middle.next_s(0.0, MIDDLE)
    wait, expected = backoff.next_s(0.0, chance(share)), middle.next_s(0.0, MIDDLE)
    assert 0.49 * expected <= wait <= 1.51 * expected
    assert wait <= 180.0


def test_only_a_stable_minute_starts_over() -> None:
    backoff = Backoff(5.0, 120.0)
    backoff.next_s(0.0, MIDDLE)
    backoff.connected(10.0)
    assert backoff.next_s(69.9, MIDDLE) == pytest.approx(10.0)
    backoff.connected(80.0)
    assert backoff.next_s(140.0, MIDDLE) == pytest.approx(5.0)


def taken(outgoing: Outgoing, items: int = 100, size: int = 10_000) -> list[payloads.Up]:
    raws = outgoing.take_payloads(items, size)
    return [codec.decode(raw, payloads.Up) for raw in raws]  # type: ignore[arg-type]  # a union


A, B = (TaskId("a"), 1), (TaskId("b"), 1)


def heartbeat(uptime: int) -> payloads.Heartbeat:
    return payloads.Heartbeat(Millis(0), uptime, 0.0, 0, 0, 0, 0, 0)


def test_a_task_that_has_finished_needs_no_acceptance() -> None:
    outgoing = Outgoing()
    outgoing.add(payloads.Accepted(*A))
    outgoing.add(payloads.Started(*A))
    outgoing.add(payloads.Accepted(*B))
    outgoing.add_result(A, b"result")
    outgoing.add(payloads.Accepted(*A))
    assert taken(outgoing) == [payloads.Accepted(*B)]
    assert outgoing.take_results(10) == {A: b"result"}
    assert not outgoing


def test_of_heartbeats_only_the_last_counts_and_order_is_kept() -> None:
    outgoing = Outgoing()
    outgoing.add(heartbeat(1))
    outgoing.add(payloads.Accepted(*A))
    outgoing.add(heartbeat(2))
    outgoing.add(payloads.Unsupported("x"))
    outgoing.add(payloads.Unsupported("y"))
    assert taken(outgoing) == [
        heartbeat(2),
        payloads.Accepted(*A),
        payloads.Unsupported("x"),
        payloads.Unsupported("y"),
    ]


def test_a_batch_is_bounded_but_never_empty() -> None:
    outgoing = Outgoing()
    for index in range(5):
        outgoing.add(payloads.Unsupported("x" * 50 + str(index)))
    assert len(taken(outgoing, items=2)) == 2
    assert len(taken(outgoing, size=10)) == 1
    assert len(taken(outgoing, size=200)) == 2
    assert not outgoing


def test_hints_are_bounded_and_answers_are_not() -> None:
    outgoing = Outgoing()
    for index in range(HINTS_KEPT + 10):
        outgoing.add(payloads.Started(TaskId(f"t{index}"), 1))
    outgoing.add(payloads.Accepted(*A))
    assert len(taken(outgoing, items=2 * HINTS_KEPT, size=10**9)) == HINTS_KEPT + 1


def test_acknowledged_results_leave_the_line_and_unfit_ones_come_first_again() -> None:
    outgoing = Outgoing()
    outgoing.add_result(A, b"a")
    outgoing.add_result(B, None)
    left = outgoing.take_results(1)
    assert left == {A: b"a"}
    outgoing.put_back(left)
    assert list(outgoing.take_results(9)) == [A, B]
    outgoing.add_result(A, b"a")
    outgoing.drop([A])
    assert not outgoing


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", ("broker", 1883, "tcp", False)),
        ("mqtt://[::1]:1884", ("::1", 1884, "tcp", False)),
        ("mqtts://broker.example/", ("broker.example", 8883, "tcp", True)),
        ("unix:///run/mqtt.sock", ("/run/mqtt.sock", 1, "unix", False)),
    ],
)
def test_broker_addresses(url: str, expected: tuple[object, ...]) -> None:
    address = broker.parse(url, login="l", password="secret")
    assert (address.host, address.port, address.transport, address.tls) == expected
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    "url", ["http://broker", "mqtt://", "mqtt://b:port", "mqtt://b/path", "unix://b/x", "mqtt://u:p@b"]
)
def test_broker_addresses_that_are_wrong(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        broker.parse(url, login="", password="")


@given(st.binary(min_size=32, max_size=32))
def test_the_jitter_of_renewal_stays_in_its_range(certificate_hash: bytes) -> None:
    assert -1 <= renewals.jitter(certificate_hash) <= 1


class Answering:
    """A client whose broker answers at the moment at which the task is cancelled."""

    async def publish(self, *_: object, qos: int) -> None:
        assert qos == 1
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()


def test_a_cancellation_that_comes_with_the_brokers_answer_is_not_swallowed() -> None:
    async def scenario() -> None:
        task = asyncio.create_task(broker.publish(cast("aiomqtt.Client", Answering()), "topic", b"", qos=1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


class Taking:
    """A client whose broker takes everything."""

    async def publish(self, *_: object, qos: int) -> None:
        assert qos == 1
        await asyncio.sleep(0)


def test_what_a_failed_task_group_leaves_on_its_task_does_not_end_the_next_connection() -> None:
    async def is_lost() -> None:
        raise aiomqtt.MqttError("the connection is lost")

    async def scenario() -> None:
        for _ in range(3):
            await broker.publish(cast("aiomqtt.Client", Taking()), "topic", b"", qos=1)
            with contextlib.suppress(BaseExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(is_lost())
                    group.create_task(asyncio.sleep(60))

    asyncio.run(scenario())


async def failing_group() -> None:
    async def is_lost() -> None:
        raise aiomqtt.MqttError("the connection is lost")

    async with asyncio.TaskGroup() as group:
        group.create_task(is_lost())
        group.create_task(asyncio.sleep(60))


def test_a_lost_connection_leaves_nothing_on_the_task_that_waits_for_the_next() -> None:
    async def scenario() -> None:
        own = asyncio.current_task()
        assert own is not None
        for _ in range(3):
            with pytest.raises(BaseExceptionGroup):
                await broker.apart(failing_group())
            assert own.cancelling() == 0  # else a timeout that expires here cancels, before Python 3.11.3
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.sleep(60)

    asyncio.run(scenario())


def test_a_cancellation_that_comes_as_the_connection_is_lost_is_not_swallowed() -> None:
    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise aiomqtt.MqttError("the connection is lost") from None

    async def scenario() -> None:
        task = asyncio.create_task(broker.apart(fails_when_cancelled()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
