"""Which port the embedded broker takes when the configuration leaves it open.

Devices remember the broker's address, so a port that was once chosen is kept across restarts as
long as it can be had.
"""

import asyncio
import socket
from pathlib import Path

from qfleet_controlplane.errors import BrokerUnavailable

_PATIENCE_S = 5.0
_STEP_S = 0.05


async def choose(host: str, wanted: int, memory: Path) -> int:
    """Return the port to listen on; ``memory`` is the file that remembers an open choice.

    A port is waited for during a few seconds: the broker of a control plane that was killed a
    moment ago may still be on its way out.

    Raises:
        BrokerUnavailable: the configured port is taken by someone else.
    """
    if wanted:
        if not await _becomes_free(host, wanted):
            raise BrokerUnavailable(
                f"port {wanted} on {host} is in use: stop what holds it or set broker.port to another"
            )
        return wanted
    remembered = _recall(memory)
    if remembered and await _becomes_free(host, remembered):
        return remembered
    port = _free(host)
    _remember(memory, port)
    return port


async def _becomes_free(host: str, port: int) -> bool:
    waited = 0.0
    while not _is_free(host, port):
        if waited >= _PATIENCE_S:
            return False
        await asyncio.sleep(_STEP_S)
        waited += _STEP_S
    return True


def _recall(memory: Path) -> int:
    try:
        return int(memory.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _remember(memory: Path, port: int) -> None:
    memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory.write_text(f"{port}\n", encoding="ascii")


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port).close()
    except OSError:
        return False
    return True


def _free(host: str) -> int:
    with _bind(host, 0) as listener:
        port: int = listener.getsockname()[1]
        return port


def _bind(host: str, port: int) -> socket.socket:
    # The host is an address, so no resolver is asked.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Linux lets two sockets bind with SO_REUSEADDR until one listens.
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener
