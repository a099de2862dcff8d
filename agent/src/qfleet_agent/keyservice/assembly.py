"""Puts the key process together: the key delivery, and where the device is enrolled, lines and sessions.

Peers whose key delivery runs on this machine are reached at their sockets, all others by lines between
devices. A device that is named in its settings and not enrolled delivers what it has and speaks with nobody.
"""

import asyncio
import contextlib
import logging
import secrets
import signal
from functools import partial

from qfleet_agent import clock, facts, profiles
from qfleet_agent.delivery import assembly
from qfleet_agent.delivery.announcer import Announcer
from qfleet_agent.delivery.application import Application
from qfleet_agent.delivery.local import LocalAnnouncer, LocalListener
from qfleet_agent.delivery.server import HttpsServer
from qfleet_agent.errors import KeyDeliveryUnusable, NotEnrolled, ProfileNotFound
from qfleet_agent.journal import keepsake
from qfleet_agent.keylink.client import KeyLink
from qfleet_agent.keyservice import standing
from qfleet_agent.keyservice.desk import Desk, World
from qfleet_agent.keyservice.lines import Lines, Member
from qfleet_agent.keyservice.routed import RoutedAnnouncer
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.notify import Notifier
from qfleet_agent.peers.identity import Identity
from qfleet_agent.peers.network import PeerNetwork
from qfleet_agent.settings import Settings
from qfleet_wire.errors import InvalidSpecification
from qfleet_wire.names import DeviceName
from qfleet_wire.profile import Security

log = logging.getLogger(__name__)

_SOCKET = "keys.sock"
_SITE_PROFILE = "site-cluster"
"""What ``profile = "auto"`` means where the device's tasks run on a cluster."""


async def run(settings: Settings, notifier: Notifier) -> None:
    """Deliver keys, and make them as the control plane orders, until SIGTERM or SIGINT.

    Raises:
        KeyDeliveryUnusable: the settings do not do.
        KeyStoreUnusable: the key store cannot be opened, or does not work.
    """
    keys = settings.keys
    where = assembly.listening(keys)
    name = assembly.device(settings)
    keeper = assembly.open_keeper(settings, name)
    sockets = LocalAnnouncer(name, assembly.sockets(keys))
    lines = _lines(settings)
    announcer: Announcer = sockets
    if lines is not None:
        announcer = RoutedAnnouncer(frozenset(assembly.sockets(keys)), sockets, lines.announcer)
    entity = assembly.make(keys, name, keeper, announcer)
    stopped = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(keeper.close)
        stack.push_async_callback(sockets.close)
        stack.push_async_callback(entity.close)
        if keys.socket is not None:
            listener = LocalListener(keys.socket, entity.hear, frozenset(keys.peers))
            await listener.start()
            stack.push_async_callback(listener.close)
        server = HttpsServer(Application(entity), where)
        await entity.start()
        await server.start()
        stack.push_async_callback(server.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        notifier.ready(f"Keys are delivered at https://{keys.host}:{server.port}.")
        serving = [asyncio.create_task(assembly.sweep_until(stopped, entity, notifier), name="key-sweep")]
        if lines is not None:
            lines.announcer.hearer = entity.hear
            desk = _desk(settings, keeper, lines)
            write = partial(standing.write, settings.state)
            serving += [
                asyncio.create_task(lines.tell(write), name="key-standing"),
                asyncio.create_task(lines.run(desk), name="key-lines"),
                asyncio.create_task(desk.run(), name="key-desk"),
            ]
        await _first_ended(serving)
        notifier.stopping()


def _lines(settings: Settings) -> Lines | None:
    """The lines to the peers that are not on this machine; None where the settings name the device.

    Raises:
        KeyDeliveryUnusable: the device has no identity that can be read, or no profile.
    """
    keys = settings.keys
    if keys.device is not None:
        log.info("device is set in [keys]: no lines to other devices.", extra={"action": "key-lines-off"})
        return None
    try:
        identity = Identity(settings.state)
    except NotEnrolled as error:
        raise KeyDeliveryUnusable(
            f"{keepsake.path_in(settings.state)} cannot be read: start the agent first, which writes it"
        ) from error
    # The daemon's own runtime directory is not this process's: the socket is where the settings say,
    # else in the state that both share.
    link = KeyLink(settings.keys_socket or settings.state / _SOCKET)
    network = PeerNetwork(link, lambda: identity.own, _security(settings))
    peers = [DeviceName(name) for name in keys.peers if name not in assembly.sockets(keys)]
    return Lines(link, network, peers, Member(identity.fleet, identity.device))


def _security(settings: Settings) -> Security:
    """What this device's profile demands of every path. Blocking.

    Raises:
        KeyDeliveryUnusable: there is no profile for this device, or a broken one.
    """
    clustered = settings.scheduler is not None and settings.profile == "auto"
    try:
        catalogue = profiles.load_all(profiles.directory(settings.profiles_dir))
        name = _SITE_PROFILE if clustered else settings.profile
        return profiles.choose(name, catalogue, facts.hardware()).security
    except (ProfileNotFound, InvalidSpecification) as error:
        raise KeyDeliveryUnusable(str(error)) from error


def _desk(settings: Settings, keeper: Keeper, lines: Lines) -> Desk:
    return Desk(
        World(
            keeper=keeper,
            peers=frozenset(DeviceName(name) for name in settings.keys.peers),
            post=lines.post,
            report=lines.report,
            now=clock.Clock(clock.RELEASED).now,
            random=secrets.token_bytes,
        )
    )


async def _first_ended(tasks: list[asyncio.Task[None]]) -> None:
    """Wait until one ends, which ends the others; raise what it has raised."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
