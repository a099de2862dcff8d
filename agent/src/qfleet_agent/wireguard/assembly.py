"""Puts a rotator together from its configuration, and runs it until it is told to stop."""

import asyncio
import signal
import time

from qfleet_agent.errors import PartEnded
from qfleet_agent.notify import Notifier
from qfleet_agent.wireguard import following, leading, tls
from qfleet_agent.wireguard.delivery import Delivery
from qfleet_agent.wireguard.interface import Interface
from qfleet_agent.wireguard.leader import Leader
from qfleet_agent.wireguard.settings import Rotation


async def run(rotation: Rotation, notifier: Notifier) -> None:
    """Rotate until SIGTERM or SIGINT.

    Raises:
        SettingsInvalid, RotatorUnusable: it cannot run like this.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    beat = asyncio.create_task(_beat(notifier), name="watchdog")
    role = asyncio.create_task(_role(rotation, notifier), name=rotation.role)
    stop = asyncio.create_task(stopped.wait(), name="stop")
    try:
        await asyncio.wait((role, stop), return_when=asyncio.FIRST_COMPLETED)
        if role.done():
            raise PartEnded("the rotation has ended by itself") from role.exception()
        notifier.stopping()
    finally:
        for task in (role, beat, stop):
            task.cancel()
        await asyncio.gather(role, beat, stop, return_exceptions=True)


async def _role(rotation: Rotation, notifier: Notifier) -> None:
    delivery, interface, line = delivery_of(rotation), interface_of(rotation), rotation.line
    files = line.ca_file, line.certificate_file, line.key_file
    if rotation.role == "leader":
        ends = leading.Ends(delivery, interface, line.where, tls.client(*files), time.monotonic)
        notifier.ready("Leads.")
        await leading.lead(Leader(rotation.interval_s, time.monotonic()), ends, notifier.status)
        return
    context = tls.server(*files)
    leader = rotation.delivery.other_sae_id
    waiting = following.Following(
        following.Ends(delivery, interface, line.where, context, leader), notifier.status
    )
    await waiting.start()
    notifier.ready("Follows.")
    try:
        await asyncio.Event().wait()
    finally:
        await waiting.close()


async def _beat(notifier: Notifier) -> None:
    while notifier.watchdog_s is not None:
        notifier.alive()
        await asyncio.sleep(notifier.watchdog_s)


def delivery_of(rotation: Rotation) -> Delivery:
    """Make the client of the key delivery. Raises ``SettingsInvalid``."""
    there = rotation.delivery
    context = tls.client(there.ca_file, there.certificate_file, there.key_file)
    return Delivery(*there.address, context, there.other_sae_id)


def interface_of(rotation: Rotation) -> Interface:
    """Make the interface's peer."""
    return Interface(rotation.interface, rotation.peer, rotation.command)
