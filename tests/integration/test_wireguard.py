"""Two rotators over real key deliveries: with a stand-in for ``wg``, and with real WireGuard."""

import asyncio
import base64
import contextlib
import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.integration import key_processes
from tests.integration.key_processes import Served
from tests.integration.key_stores import LEFT
from tests.integration.packaged_brokers import free_port
from tests.integration.wireguard_spaces import Space, missing, run

from qfleet_agent.errors import InterfaceRefused, KeyNotDelivered, RotationRefused, RotatorSilent
from qfleet_agent.wireguard import following, leading, messages, tls
from qfleet_agent.wireguard.delivery import Delivery
from qfleet_agent.wireguard.interface import Interface
from qfleet_agent.wireguard.keys import Key
from qfleet_agent.wireguard.leader import Leader
from qfleet_agent.wireguard.settings import Address

PEER = "A" * 43 + "="
STAND_IN = """#!/bin/sh
# Writes down how wg would have been called, and what on its standard input.
if [ -e "{folder}/broken" ]; then echo "Key is not the correct length or format: \\`$(cat)'" >&2; exit 1; fi
echo "$@" >> "{folder}/arguments"
cat /dev/stdin >> "{folder}/keys"
"""


class Pair(NamedTuple):
    left: Served
    right: Served


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    left, right = map(key_processes.serve, key_processes.prepare(tmp_path_factory.mktemp("keys")))
    yield Pair(left, right)
    assert [left.stop(), right.stop()] == [0, 0]


def files(served: Served, name: str) -> tuple[Path, Path, Path]:
    folder = served.site.certificates
    return folder / "ca.crt", folder / f"{name}.crt", folder / f"{name}.key"


def delivery(served: Served, own: str, other: str) -> Delivery:
    return Delivery("127.0.0.1", served.port, tls.client(*files(served, own)), other)


class StandIn:
    """An executable in place of ``wg``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.path = folder / "wg"
        self.path.write_text(STAND_IN.format(folder=folder))
        self.path.chmod(0o755)

    @property
    def interface(self) -> Interface:
        return Interface("wg0", PEER, str(self.path))

    @property
    def keys(self) -> list[bytes]:
        return [base64.b64decode(line) for line in self._lines("keys")]

    @property
    def calls(self) -> list[str]:
        return self._lines("arguments")

    def _lines(self, name: str) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / name).read_text().split("\n")[:-1]
        return []


class Tunnel:
    """A leader for alice and a follower for bob, in this process."""

    def __init__(self, pair: Pair, folder: Path) -> None:
        self.pair = pair
        self.mine, self.other = StandIn(folder / "leader"), StandIn(folder / "follower")
        self.said: list[str] = []
        self.where = Address("127.0.0.1", 0)

    @contextlib.asynccontextmanager
    async def follower(self) -> AsyncIterator[None]:
        context = tls.server(*files(self.pair.right, "server"))
        bob = delivery(self.pair.right, "bob", "alice")
        ends = following.Ends(bob, self.other.interface, self.where, context, "alice")
        waiting = following.Following(ends, self.said.append)
        self.where = Address("127.0.0.1", await waiting.start())
        try:
            yield
        finally:
            await waiting.close()

    def ends(self, name: str = "alice") -> leading.Ends:
        alice = delivery(self.pair.left, "alice", "bob")
        context = tls.client(*files(self.pair.left, name))
        return leading.Ends(alice, self.mine.interface, self.where, context, time.monotonic)

    @contextlib.asynccontextmanager
    async def leading(self) -> AsyncIterator[Leader]:
        decider = Leader(0.01, time.monotonic())
        task = asyncio.create_task(leading.lead(decider, self.ends(), self.said.append))
        try:
            yield decider
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - what is waited for gives no signal
            await asyncio.sleep(0.01)


def test_both_interfaces_get_the_same_keys_one_after_the_other(pair: Pair, tmp_path: Path) -> None:
    async def main() -> None:
        tunnel = Tunnel(pair, tmp_path)
        async with tunnel.follower(), tunnel.leading() as decider:
            await until(lambda: decider.rotations >= 3)
        assert len(set(tunnel.other.keys)) >= 3
        assert tunnel.mine.keys[:3] == tunnel.other.keys[:3]
        assert set(tunnel.mine.calls) == {f"set wg0 peer {PEER} preshared-key /dev/stdin"}
        assert all(len(key) == 32 for key in tunnel.mine.keys)

    asyncio.run(main())


def test_while_the_follower_is_away_the_last_key_stays(pair: Pair, tmp_path: Path) -> None:
    async def main() -> None:
        tunnel = Tunnel(pair, tmp_path)
        async with tunnel.follower():
            pass  # its port is known now, and nobody listens there
        async with tunnel.leading() as decider:
            await until(lambda: any("cannot be reached" in text for text in tunnel.said))
            assert tunnel.mine.keys == []
            async with tunnel.follower():
                await until(lambda: decider.rotations >= 1)
        assert tunnel.mine.keys[0] == tunnel.other.keys[0]

    asyncio.run(main())


def test_an_interface_that_refuses_is_told_of_without_the_key(pair: Pair, tmp_path: Path) -> None:
    async def main() -> None:
        tunnel = Tunnel(pair, tmp_path)
        broken = tunnel.other.folder / "broken"
        broken.touch()
        async with tunnel.follower(), tunnel.leading() as decider:
            await until(lambda: any("(key)" in text for text in tunnel.said))
            broken.unlink()
            await until(lambda: decider.rotations >= 1)
        secrets = {base64.b64encode(key).decode() for key in tunnel.mine.keys}
        assert not any(secret in text for text in tunnel.said for secret in secrets)
        assert tunnel.mine.keys[0] == tunnel.other.keys[0]

    asyncio.run(main())


def test_only_the_leader_that_is_named_may_ask(pair: Pair, tmp_path: Path) -> None:
    async def main() -> None:
        tunnel = Tunnel(pair, tmp_path)
        async with tunnel.follower():
            with pytest.raises(RotationRefused, match="hung up"):
                await leading.ask(messages.Offer("one"), tunnel.ends("carol"))
            # In TLS 1.3 a client learns that its certificate is refused when it reads.
            stranger = tunnel.ends()._replace(context=_without_certificate(pair))
            with pytest.raises((RotationRefused, RotatorSilent)):
                await leading.ask(messages.Offer("one"), stranger)
        assert tunnel.other.calls == []

    asyncio.run(main())


def _without_certificate(pair: Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files(pair.left, "alice")[0]))


def test_keys_that_do_not_come_are_explained(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(KeyNotDelivered, match="not found on KME") as caught:
        delivery(pair.right, "bob", "alice").known("00000000-0000-4000-8000-000000000000")
    assert caught.value.for_good
    with pytest.raises(KeyNotDelivered, match="400 slave_SAE_ID"):
        delivery(pair.left, "alice", "nobody").new()
    with pytest.raises(KeyNotDelivered, match="application there"):
        delivery(pair.right, "alice", "bob").new()
    away = delivery(pair.left, "alice", "bob")._replace(port=1)
    with pytest.raises(KeyNotDelivered, match="does not answer") as caught:
        away.new()
    assert not caught.value.for_good
    with pytest.raises(InterfaceRefused, match="wireguard-tools"):
        asyncio.run(Interface("wg0", PEER, str(tmp_path / "none")).install(Key("one", bytes(32))))


@pytest.fixture
def spaces() -> Iterator[tuple[Space, Space]]:
    if reason := missing():
        pytest.skip(reason)
    left, right = Space(71), Space(72)
    try:
        ends = "qfw71", "qfw72"
        run(
            "ip",
            "link",
            "add",
            ends[0],
            "netns",
            left.name,
            "type",
            "veth",
            "peer",
            ends[1],
            "netns",
            right.name,
        )
        for space, end in zip((left, right), ends, strict=True):
            space.run("ip", "address", "add", f"10.66.0.{space.number}/24", "dev", end)
            space.run("ip", "link", "set", end, "up")
        left.up(right)
        right.up(left)
        yield left, right
    finally:
        for space in (left, right):
            space.close()


class Rotator:
    """``qfleet-agent wireguard`` as a process. The daemons' sockets reach into the namespaces as files."""

    def __init__(self, folder: Path, served: Served, space: Space, peer: Space, port: int) -> None:
        role, own, other = (
            ("leader", "alice", "bob") if served.site.name == LEFT else ("follower", "bob", "alice")
        )
        ca, certificate, key = files(served, own)
        shown = files(served, "server" if role == "follower" else own)
        self.config = folder / f"{role}.toml"
        self.config.write_text(
            f"""
            interface = "wg{space.number}"
            peer = "{peer.public}"
            role = "{role}"
            [delivery]
            url = "https://{served.host}"
            ca_file = "{ca}"
            certificate_file = "{certificate}"
            key_file = "{key}"
            other_sae_id = "{other}"
            [line]
            address = "127.0.0.1:{port}"
            ca_file = "{shown[0]}"
            certificate_file = "{shown[1]}"
            key_file = "{shown[2]}"
            """
        )
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qfleet_agent", "wireguard", "--config", str(self.config)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for(self, text: str) -> None:
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if text in line:
                return
        raise AssertionError("".join(said))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def test_a_real_tunnel_stays_up_while_its_preshared_key_changes(
    pair: Pair, spaces: tuple[Space, Space], tmp_path: Path
) -> None:
    left, right = spaces
    port = free_port()
    follower = Rotator(tmp_path, pair.right, right, left, port)
    leader = Rotator(tmp_path, pair.left, left, right, port)
    seen: set[str] = set()
    try:
        for killed in (True, False):
            leader.wait_for("Both ends have a new key")
            mine, other = left.preshared(), right.preshared()
            assert mine == other
            assert mine not in {*seen, "(none)"}
            seen.add(mine)
            assert left.hears(right)
            if killed:  # the next one begins with a rotation of its own
                assert leader.stop(signal.SIGKILL) == -signal.SIGKILL
                leader.start()
        assert float(left.run("wg", "show", "wg71", "latest-handshakes").split("\t")[-1]) > 0
    finally:
        codes = leader.stop(), follower.stop()
    assert codes == (0, 0)


def test_a_rotator_that_cannot_run_says_why(tmp_path: Path) -> None:
    config = tmp_path / "wireguard.toml"
    config.write_text(json.dumps({})[:1])
    words = [sys.executable, "-m", "qfleet_agent", "wireguard", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "not valid TOML" in done.stderr
    assert "Traceback" not in done.stderr
