"""A wide-area link between two network namespaces: real packets, delayed, lost and counted.

Two TUN interfaces stand for the ends; the packets between them pass through this process, which does
what ``tc netem`` does where the kernel has it: one-way delay with jitter (in order), random
loss, a rate with a bounded queue, and times without any connection. TCP on both ends is the
kernel's own, with its retransmissions. Needs root and ``/dev/net/tun``.
"""

import asyncio
import contextlib
import fcntl
import os
import random
import struct
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

SITE_ADDRESS = "10.213.0.1"
FAR_ADDRESS = "10.213.0.2"
MTU = 1500

_SET_INTERFACE = 0x400454CA
"""``TUNSETIFF`` of linux/if_tun.h."""
_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
_QUEUE_PACKETS = 1000
"""Packets that wait for the rate before further ones are dropped: netem's default limit."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What a link does to packets, in each direction.

    ``delay_ms`` and ``jitter_ms`` are one way; ``loss`` is a share of packets, ``rate_bps`` bits per
    second, 0 without a bound. Where both are given, ``online_s`` and ``offline_s`` alternate.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    rate_bps: float = 0.0
    online_s: float = 0.0
    offline_s: float = 0.0

    def is_up(self, elapsed_s: float) -> bool:
        """Whether packets pass ``elapsed_s`` seconds after the start."""
        if not (self.online_s and self.offline_s):
            return True
        return elapsed_s % (self.online_s + self.offline_s) < self.online_s


@dataclass(slots=True)
class Counts:
    """Both directions together: what was handed in, and what was not handed out."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    cut: int = 0


class Link:
    """A context manager: the far namespace and the link exist inside the ``with``.

    It must be entered in a namespace of its own (``unshare --net``), whose end is the near one.
    """

    def __init__(self, weather: Weather, seed: int) -> None:
        self.weather = weather
        self.counts = Counts()
        self.namespace = f"qfleet-far-{os.getpid()}"
        self._random = random.Random(seed)
        self._near = -1
        self._far = -1
        self._began = 0.0

    def __enter__(self) -> Self:
        _ip("link", "set", "lo", "up")
        _ip("netns", "add", self.namespace)
        self._near, self._far = _open_tun("qnear"), _open_tun("qfar")
        _ip("address", "add", f"{SITE_ADDRESS}/30", "dev", "qnear")
        _ip("link", "set", "qnear", "up", "mtu", str(MTU))
        _ip("link", "set", "qfar", "netns", self.namespace)
        far = ("-n", self.namespace)
        _ip(*far, "link", "set", "lo", "up")
        _ip(*far, "address", "add", f"{FAR_ADDRESS}/30", "dev", "qfar")
        _ip(*far, "link", "set", "qfar", "up", "mtu", str(MTU))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._near)
        os.close(self._far)
        _ip("netns", "delete", self.namespace)

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command is to begin with to run at the far end."""
        return ("ip", "netns", "exec", self.namespace)

    def begin(self, weather: Weather) -> None:
        """Change the weather; its first online time begins now."""
        self.weather, self._began = weather, time.monotonic()

    @property
    def up(self) -> bool:
        """Whether packets pass now."""
        return self.weather.is_up(time.monotonic() - self._began)

    async def carry(self) -> None:
        """Pass packets until cancelled."""
        loop = asyncio.get_running_loop()
        directions = [_Direction(self._near, self._far, self), _Direction(self._far, self._near, self)]
        try:
            for direction in directions:
                loop.add_reader(direction.source, direction.receive)
            await asyncio.Event().wait()
        finally:
            for direction in directions:
                loop.remove_reader(direction.source)

    def chance(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()


@dataclass(slots=True)
class _Direction:
    source: int
    target: int
    link: Link
    _free_at: float = 0.0
    _last_out: float = 0.0
    _waiting: deque[tuple[float, bytes]] = field(default_factory=deque)

    def receive(self) -> None:
        """Take every packet that stands ready."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(os.read(self.source, 65536))

    def _take(self, packet: bytes) -> None:
        counts, weather = self.link.counts, self.link.weather
        counts.packets += 1
        counts.bytes += len(packet)
        if not self.link.up:
            counts.cut += 1
            return
        if len(self._waiting) >= _QUEUE_PACKETS or self.link.chance() < weather.loss:
            counts.lost += 1
            return
        loop = asyncio.get_running_loop()
        sent = max(loop.time(), self._free_at)
        if weather.rate_bps:
            sent += 8 * len(packet) / weather.rate_bps
        self._free_at = sent
        delay = weather.delay_ms + weather.jitter_ms * (2 * self.link.chance() - 1)
        # In order: a route does not overtake itself, and TCP would take it for loss.
        self._last_out = max(self._last_out, sent + max(0.0, delay) / 1000)
        self._waiting.append((self._last_out, packet))
        if len(self._waiting) == 1:
            loop.call_at(self._last_out, self._release)

    def _release(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0][0] <= now:
            _, packet = self._waiting.popleft()
            # A full queue of the interface drops, as a router would.
            with contextlib.suppress(BlockingIOError):
                os.write(self.target, packet)
        if self._waiting:
            asyncio.get_running_loop().call_at(self._waiting[0][0], self._release)


def _open_tun(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, _SET_INTERFACE, struct.pack("16sH", name.encode(), _TUN_WITHOUT_HEADER))
    return descriptor


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)
