"""Announcements over a Unix socket, and what comes over it that is none."""

import asyncio
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from qfleet_agent.delivery.announcer import Answer, PeerSilent
from qfleet_agent.delivery.local import LocalAnnouncer, LocalListener
from qfleet_agent.errors import KeyDeliveryUnusable
from qfleet_agent.keystore.allotment import Range
from qfleet_agent.keystore.announcement import Announcement
from qfleet_wire.names import Millis


def made(size: int = 32) -> Announcement:
    ranges = (Range(bytes(16), 0, 32),)
    return Announcement(
        key=bytes(16), master="alice", slaves=("bob",), size=size, ranges=ranges, expires=Millis(1)
    )


class Heard:
    def __init__(self) -> None:
        self.of: list[tuple[str, list[Announcement]]] = []

    async def __call__(self, link: str, batch: Sequence[Announcement]) -> Sequence[Answer]:
        self.of.append((link, list(batch)))
        return [Answer(one.key, "taken") for one in batch]


def test_announcements_are_answered_by_those_who_are_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        path, heard = tmp_path / "peer.sock", Heard()
        listener = LocalListener(path, heard, frozenset({"left"}))
        left, eve = LocalAnnouncer("left", {"right": path}), LocalAnnouncer("eve", {"right": path})
        with pytest.raises(PeerSilent):
            await left.announce("right", [made()])
        with pytest.raises(PeerSilent, match="set socket in"):
            await left.announce("nobody", [made()])
        await listener.start()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [one.verdict for one in await left.announce("right", [made()])] == ["taken"]
        assert [one.verdict for one in await eve.announce("right", [made()])] == ["unwanted"]
        assert [one.verdict for one in await left.announce("right", [made(31)])] == ["no-such-bits"]
        assert heard.of[0] == ("left", [made()])
        assert [len(batch) for _, batch in heard.of] == [1, 0]
        await listener.close()
        with pytest.raises(PeerSilent):
            await left.announce("right", [made()])
        await listener.start()
        assert len(await left.announce("right", [made()])) == 1
        await left.close()
        await eve.close()
        await listener.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\0\0\0\3abc", b"\0\0", b""])
def test_what_is_no_message_ends_the_connection_alone(tmp_path: Path, sent: bytes) -> None:
    async def scenario() -> None:
        path = tmp_path / "peer.sock"
        listener = LocalListener(path, Heard(), frozenset({"left"}))
        await listener.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        left = LocalAnnouncer("left", {"right": path})
        assert len(await left.announce("right", [made()])) == 1
        await left.close()
        await listener.close()

    asyncio.run(scenario())


def test_a_file_is_not_removed_for_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.touch()
    with pytest.raises(KeyDeliveryUnusable, match="is a file"):
        asyncio.run(LocalListener(path, Heard(), frozenset()).start())
    assert path.exists()
