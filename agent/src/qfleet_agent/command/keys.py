"""``qfleet-agent keys``: deliver keys to local applications, and what a newcomer needs to start."""

import asyncio
import datetime as dt
import hashlib
import json
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from qfleet_agent.command import exits, logs
from qfleet_agent.delivery import assembly, certificates
from qfleet_agent.errors import BlockRefused
from qfleet_agent.keyservice import assembly as process
from qfleet_agent.keyservice import standing
from qfleet_agent.keystore.allotment import BLOCK_ID_BYTES
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.keystore.keeping import MOST_BLOCK_BYTES
from qfleet_agent.notify import Notifier
from qfleet_agent.settings import Settings

_T = TypeVar("_T")


def serve(settings: Settings) -> int:
    """Deliver keys until SIGTERM or SIGINT."""
    logs.start(settings.log_level)
    os.umask(0o077)
    # The loop and the store's thread take turns: at Python's 5 ms, each answer would wait that long.
    sys.setswitchinterval(0.0002)
    asyncio.run(process.run(settings, Notifier(os.environ)))
    return exits.FINE


def make_certificates(folder: Path, hosts: Sequence[str], applications: Sequence[str]) -> int:
    """Make a CA in a folder where there is none, and certificates of it; say where they are."""
    now = dt.datetime.now(dt.UTC)
    ca = certificates.authority(folder, now)
    made = [certificates.server(folder, ca, hosts, now)] if hosts else []
    made += [certificates.application(folder, ca, one, now) for one in applications]
    for path in (folder / "ca.crt", *made):
        sys.stdout.write(f"{path}\n")
    return exits.FINE


def load(settings: Settings, peer: str, file: Path) -> int:
    """Take key material from a file that the device ``peer`` loads too, as a released block."""
    material = _material(file)
    block = hashlib.sha256(b"qfleet key file\0" + material).digest()[:BLOCK_ID_BYTES]

    async def call(keeper: Keeper) -> None:
        await keeper.keep(peer, block, material)
        await keeper.release(peer, block)

    if peer not in settings.keys.peers:
        raise BlockRefused(f"there is no [keys.peers.{peer}] in the configuration")
    _with_keeper(settings, call)
    sys.stdout.write(
        f"Block {block.hex()} of {len(material)} bytes is held for {peer}: load the same file there, "
        "then destroy every copy of it.\n"
    )
    return exits.FINE


def status(settings: Settings) -> int:
    """Print what each link has, what was counted and how the process last stood, as JSON; never a key."""

    async def call(keeper: Keeper) -> dict[str, object]:
        links = {link: (await keeper.stock(link))._asdict() for link in sorted(settings.keys.peers)}
        counts = [row._asdict() for row in await keeper.counts()]
        return {"links": links, "counts": counts, "agent": msgspec.to_builtins(standing.read(settings.state))}

    sys.stdout.write(json.dumps(_with_keeper(settings, call), indent=2) + "\n")
    return exits.FINE


def _with_keeper(settings: Settings, call: Callable[[Keeper], Coroutine[Any, Any, _T]]) -> _T:
    async def run() -> _T:
        keeper = assembly.open_keeper(settings, assembly.device(settings))
        try:
            return await call(keeper)
        finally:
            await keeper.close()

    return asyncio.run(run())


def _material(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            material = opened.read(MOST_BLOCK_BYTES + 1)
    except OSError as error:
        raise BlockRefused(f"{file} cannot be read: {error}") from error
    if len(material) > MOST_BLOCK_BYTES:
        raise BlockRefused(f"{file} has more than {MOST_BLOCK_BYTES} bytes: cut it into several files")
    return material
