"""Notices that the network comes up: the kernel says so on a netlink socket, without being asked.

Only a hint to try sooner: whether a broker can be reached shows when it is tried. Where there is no
such socket (no Linux, a sandbox), nothing is noticed and the waits run their course.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Self

_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, and addresses and routes of IPv4 and IPv6 (linux/rtnetlink.h)."""
_NEWLINK, _NEWADDR, _NEWROUTE = 16, 20, 24
_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
_LINK = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, change."""
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40
_MOST_BYTES = 65536

log = logging.getLogger(__name__)


def says_up(datagram: bytes) -> bool:
    """Whether one of the messages is a new address or route, or a link that runs; never raises."""
    for kind, body in _messages(datagram):
        if kind in {_NEWADDR, _NEWROUTE}:
            return True
        if kind == _NEWLINK and len(body) >= _LINK.size:
            flags = _LINK.unpack_from(body)[3]
            if flags & _UP and flags & _RUNNING and not flags & _LOOPBACK:
                return True
    return False


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start + _HEADER.size <= len(datagram):
        length, kind, *_ = _HEADER.unpack_from(datagram, start)
        if length < _HEADER.size:
            return
        yield kind, datagram[start + _HEADER.size : start + length]
        start += (length + 3) & ~3


class Watch:
    """Calls ``came_up`` in the event loop, perhaps often; a context manager."""

    def __init__(self, came_up: Callable[[], None]) -> None:
        self._came_up = came_up
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self._socket.setblocking(False)  # noqa: FBT003  # the standard library's own signature
            self._socket.bind((0, _GROUPS))
        except (OSError, AttributeError) as error:
            log.info(
                "Whether the network comes up is not seen here: %s", error, extra={"action": "no-netlink"}
            )
            self.__exit__()
        else:
            asyncio.get_running_loop().add_reader(self._socket, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            with contextlib.suppress(ValueError):
                asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        assert self._socket is not None
        try:
            datagram = self._socket.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:  # messages were dropped for want of room: there was much to say
            self._came_up()
            return
        if says_up(datagram):
            self._came_up()
