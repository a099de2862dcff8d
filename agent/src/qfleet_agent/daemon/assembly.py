"""Puts a daemon together from the settings, the device and what the journal holds."""

import asyncio
import logging
import secrets
import stat
import time
from pathlib import Path

from qfleet_agent import clock, facts, status
from qfleet_agent.daemon import cluster_site, gateways, mixing, speed
from qfleet_agent.daemon import place as places
from qfleet_agent.daemon.cluster_site import ClusterSite
from qfleet_agent.daemon.daemon import Daemon
from qfleet_agent.daemon.executor import Executor
from qfleet_agent.daemon.keys import KeyDesk, path_for
from qfleet_agent.daemon.performer import Performer
from qfleet_agent.daemon.place import Place
from qfleet_agent.errors import JournalDamaged, JournalUnusable, SettingsInvalid
from qfleet_agent.journal import journal as journals
from qfleet_agent.journal import keepsake, membership, recovery, vault
from qfleet_agent.journal.aside import SetAside
from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.keepsake import Keepsake
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.reserve import Reserve
from qfleet_agent.journal.store import Contents
from qfleet_agent.link.handshakes import Handshakes, Remembered
from qfleet_agent.link.helm import Helm, Means
from qfleet_agent.link.link import Ears, Link, Rhythm
from qfleet_agent.machine import events
from qfleet_agent.machine.admit import MIB
from qfleet_agent.machine.machine import Machine
from qfleet_agent.notify import Notifier
from qfleet_agent.settings import Settings
from qfleet_agent.workers import cgroup, pool
from qfleet_wire import codec, payloads
from qfleet_wire.channel import preshared, resumption
from qfleet_wire.channel.initiator import Circumstances, Standing
from qfleet_wire.channel.preshared import Ring
from qfleet_wire.errors import InvalidKey, RemoteError
from qfleet_wire.names import Millis

RESERVE_MOST_BYTES = 32 * MIB
"""What the journal holds beside room for promises, for its log. The profile's reserve is left free."""

OPEN_TO_OTHERS = 0o027
"""What the mode of a file of secrets must not have; systemd's credentials show a group that may read."""
RECOVERIES = 3
"""Journals that may show damage one after the other before the agent gives up."""
LONG_S = 600.0
"""A journal that served so long was not damaged from the start."""

FULL_BYTES = MIB
"""With less than this the disk is full."""
FULL_S = 60.0
"""How long room is waited for at the start; then systemd starts the agent again."""
FULL_RETRY_S = 2.0

log = logging.getLogger(__name__)


async def run(settings: Settings, notifier: Notifier) -> None:
    """Run the agent until it is told to stop.

    Raises:
        NotEnrolled, ProfileNotFound, SettingsInvalid, InvalidKey, InvalidSpecification: it cannot
            run like this; starting again changes nothing.
        JournalUnusable, StateInUse: it cannot run now.
    """
    place = places.survey(settings)
    with status.Lock(settings.state):
        reason, tries = None, 0
        while tries < RECOVERIES:
            begun = time.monotonic()
            try:
                await _run(place, notifier, reason)
            except (JournalDamaged, BaseExceptionGroup) as error:
                reason = _damage(error)
                if reason is None:
                    raise
            else:
                return
            tries = 1 if time.monotonic() - begun > LONG_S else tries + 1
    raise JournalUnusable(
        f"{RECOVERIES} journals in a row were damaged, the last: {reason}; look at the disk"
    )


async def _run(place: Place, notifier: Notifier, damaged: str | None) -> None:
    """Run on the journal that is there, or on a new one when that is known to be damaged."""
    state, now = place.settings.state, clock.Clock(clock.RELEASED).now()
    path = await _prepared(state, now, damaged)
    journal = Journal(
        path,
        most_bytes=place.profile.budget.disk_mib * MIB,
        reserve_bytes=min(place.bounds.disk_reserve_bytes, RESERVE_MOST_BYTES),
        leave_bytes=place.bounds.disk_reserve_bytes,
    )
    try:
        contents = await journal.open()
        daemon = await assemble(place, notifier, journal, contents)
        await daemon.run()
    finally:
        await journal.close()


async def _prepared(state: Path, now: Millis, damaged: str | None) -> Path:
    """Get the journal ready; a full disk is waited for, as SQLite needs room beside a journal to open it."""
    deadline = time.monotonic() + FULL_S
    reserve = Reserve(journals.reserve_in(state), 0)
    while True:
        try:
            return await asyncio.to_thread(recovery.prepare, state, now, reason=damaged)
        except JournalUnusable as error:
            if facts.disk_free(state) > FULL_BYTES or time.monotonic() > deadline:
                raise
            if not reserve.give(FULL_BYTES):
                log.error("The disk is full: %s", error, extra={"action": "journal-full"})  # noqa: TRY400
                await asyncio.sleep(FULL_RETRY_S)


def _damage(error: BaseException) -> str | None:
    """What is wrong with the journal, if that is what ended the agent."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := _damage(one))), None)
    return str(error) if isinstance(error, JournalDamaged) else None


async def assemble(place: Place, notifier: Notifier, journal: Journal, contents: Contents) -> Daemon:
    """Rebuild what the journal remembers and connect the parts; nothing runs yet."""
    settings = place.settings
    handshakes = await _handshakes(place, journal)
    clustered = None if settings.scheduler is None else await cluster_site.remembered(place, journal)
    place = place if clustered is None else clustered.place
    calibrations = await (
        speed.known(journal, speed.Here(place.engines, place.hardware.machine, place.bounds.workers))
        if clustered is None
        else clustered.calibrations()
    )
    held = handshakes.membership
    machine = Machine(held.device, place.bounds, place.announcement(calibrations or ()))
    performer = Performer(machine, journal)
    pulse = asyncio.Event()
    helm = await _helm(place, handshakes, journal)
    contacts = await _contacts(journal)
    if contacts is not None:
        helm.plan(contacts)
    keys = KeyDesk(path_for(settings), handshakes, pulse.set)
    ears = Ears(performer.number, performer.tell, keys.changed)
    link = Link(helm, _rhythm(place), handshakes, journal, ears)
    keys.connect(link)
    executor = _executor(place, clustered, performer)
    performer.connect(link, executor)
    performer.tell(_restored(performer.number(), handshakes, contents, contacts))
    damage = _set_aside(await journal.get(Name.SET_ASIDE))
    return Daemon(
        place,
        notifier,
        journal,
        handshakes,
        machine,
        performer,
        executor,
        link,
        pulse,
        damage,
        cluster=clustered,
        keys=keys,
    )


def _rhythm(place: Place) -> Rhythm:
    link = place.settings.link
    return Rhythm(
        place.profile.link.keep_alive_s, link.reconnect_base_s, link.reconnect_most_s, link.answer_s
    )


def _restored(
    number: int, handshakes: Handshakes, contents: Contents, contacts: payloads.Contacts | None
) -> events.Restored:
    """What the journal tells the machine first."""
    # The first number is a time, so that those of a later journal of the same device are above it.
    start = handshakes.clock.now() // 1000
    telemetry = contents.telemetry or events.StoredTelemetry((), start, start, 0)
    epoch = max(contents.epoch, handshakes.epoch)
    return events.Restored(number, epoch, contents.tasks, contents.results, telemetry, contacts)


async def _contacts(journal: Journal) -> payloads.Contacts | None:
    """The contact plan that was kept; one that cannot be read is none: the next session brings another."""
    kept = await journal.get(Name.CONTACTS)
    try:
        return None if kept is None else codec.decode(kept, payloads.Contacts)
    except RemoteError as error:
        log.warning("The contact plan is not known: %s", error, extra={"action": "plan-unread"})
        return None


async def _helm(place: Place, handshakes: Handshakes, journal: Journal) -> Helm:
    """Know every way of the settings, and what was used of its budget."""

    async def keep(used: bytes) -> None:
        await journal.put({Name.WAYS: used})

    link = place.settings.link
    made = [gateways.gateway(way, link, handshakes.membership) for way in link.routes]
    means = Means(handshakes.clock.now, secrets.token_bytes, keep)
    helm = Helm(made, link.rules, means, beat_s=place.profile.link.heartbeat_s)
    helm.restore(await journal.get(Name.WAYS))
    return helm


def _executor(place: Place, clustered: ClusterSite | None, performer: Performer) -> Executor:
    if clustered is not None:
        return Executor(clustered.connect, performer.tell, performer.number, stays=True)
    workers = pool.Settings(
        workers=place.bounds.workers,
        memory_bytes=place.bounds.task_memory_bytes,
        cgroup=cgroup.find(),
    )
    return Executor(lambda told: pool.Pool(workers, told), performer.tell, performer.number)


def _set_aside(stored: bytes | None) -> SetAside | None:
    try:
        return None if stored is None else codec.decode(stored, SetAside)
    except RemoteError as error:
        raise JournalDamaged(f"what is known of an earlier journal does not decode: {error}") from error


async def _handshakes(place: Place, journal: Journal) -> Handshakes:
    settings = place.settings
    held = membership.read(await journal.get(Name.MEMBERSHIP))
    standing = _standing(await journal.get(Name.STANDING))
    await asyncio.to_thread(_keep_twice, settings.state, Keepsake(held, standing))
    remembered = Remembered(
        membership=held,
        identities=vault.load(settings.state),
        standing=standing,
        resumption=_resumption(await journal.get(Name.RESUMPTION)),
        ring=Ring(
            _preshared(settings.preshared_key_file), _used(await journal.get(Name.USED_PRESHARED_KEYS))
        ),
        supply=mixing.supply(place.profile.security.quantum_key, settings.channel.qkd),
        mixed=(await journal.get(Name.MIXED) or b"").decode(),
    )
    circumstances = Circumstances(held.region, place.boot_id, mixing.demanded(place.profile.security))
    return Handshakes(
        remembered,
        journal,
        state=settings.state,
        circumstances=circumstances,
        random=secrets.token_bytes,
    )


def _keep_twice(state: Path, kept: Keepsake) -> None:
    try:
        keepsake.save(state, kept)
    except OSError as error:
        log.warning("The second copy cannot be written: %s", error, extra={"action": "copy-unsaved"})


def _standing(stored: bytes | None) -> Standing:
    if stored is None:
        return Standing(clock.RELEASED)
    try:
        return codec.decode(stored, Standing)
    except RemoteError as error:
        # Going on without it would take back what controllers have proved; there is a second copy.
        raise JournalDamaged(f"what it holds of controllers does not decode: {error}") from error


def _resumption(stored: bytes | None) -> resumption.State | None:
    try:
        return None if stored is None else resumption.read_state(stored)
    except InvalidKey as error:
        log.warning("%s", error, extra={"action": "resumption-lost"})
        return None


def _preshared(path: Path | None) -> tuple[preshared.PresharedKey, ...]:
    if path is None:
        return ()
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OPEN_TO_OTHERS:
            raise SettingsInvalid(
                f"preshared_key_file = {str(path)!r} is open to others (mode {mode:04o}): chmod 0400 it, "
                "and replace its keys if anyone may have read them"
            )
        return preshared.read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"preshared_key_file = {str(path)!r} cannot be read: {error}") from error


def _used(stored: bytes | None) -> list[str]:
    return [] if stored is None else stored.decode().split()
