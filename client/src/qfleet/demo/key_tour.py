"""``qfleet demo-keys``: two sites get the same keys over a satellite and a fibre; one link is listened on.

Only the light is simulated: messages, sifting, correction, relay, key stores and delivery are real.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

import typer

from qfleet import errors
from qfleet.demo import interruptions, key_clients, key_site, key_tunnel, processes
from qfleet.demo.directory import Directory
from qfleet.fleet import Fleet
from qfleet.render import keys as draw
from qfleet.render import progress, terminal
from qfleet_wire.api import keys as api

FIBRES = (("xinglong", "node"), ("node", "chengde"))
DOWNLINKS = (("xinglong", "micius"), ("chengde", "micius"))
ENDS = ("xinglong", "chengde")
RELAY_BYTES = 1024
T = TypeVar("T")
_INTERRUPTED = 130
_LIMIT_S = 180.0
_PATIENCE_S = 60.0
_STEP_S = 0.5


@dataclass
class Tour:
    """What was done and seen; all of it must hold for the demo to have succeeded."""

    sessions: list[api.KeySessionView]
    relays: list[api.KeyRelayView]
    alarms: tuple[api.KeyAlarmView, ...] = ()
    shared: tuple[key_clients.Shared, ...] = ()
    rotated: bool = False
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether everything went as it must."""
        *honest, tapped = self.sessions
        before, after = self.relays
        return (
            all(one.status == "key" for one in honest)
            and (tapped.status, bool(tapped.seen)) == ("aborted", True)
            and before.status == after.status == "key"
            and set(before.trusted) != set(after.trusted)
            and bool(self.alarms)
            and self.rotated
        )


def run(directory: Directory, *, json: bool) -> bool:
    """Run the whole tour, stop everything, and tell whether all of it held."""
    began = time.monotonic()
    family = processes.Family(directory.record)
    with directory.claimed(), interruptions.raised():
        processes.stop_recorded(directory.record)
        directory.clear()
        try:
            with tempfile.TemporaryDirectory(prefix="qfleet-") as sockets:
                tour = _tour(directory, family, Path(sockets))
        except KeyboardInterrupt:
            terminal.say("Interrupted; stopping everything.")
            raise typer.Exit(_INTERRUPTED) from None
        except errors.DemoFailed as error:
            terminal.say(directory.tail(error.log), "dim")
            raise
        finally:
            with interruptions.deferred():
                family.stop()
    tour.seconds = time.monotonic() - began
    _show(tour, json=json)
    return tour.well


def _tour(directory: Directory, family: processes.Family, sockets: Path) -> Tour:
    with progress.bars() as shown:
        line = shown.add_task("site", total=None, state="")
        keys = key_site.start(directory, family, sockets, lambda text: shown.update(line, state=text))
        shown.update(line, total=1, completed=1, state=f"online: {', '.join(key_site.DEVICES)}")
    with keys.place.connect() as fleet:
        _say("Loading the scenario: two sites, a satellite over both, a fibre node between them.")
        text = resources.files("qfleet.demo").joinpath("keys-scenario.toml").read_text(encoding="utf-8")
        fleet.network.load(text=text, source="keys-scenario.toml")
        fleet.network.simulate(speed=1.0)
        _until_linked(fleet)
        sessions = [_exchange(fleet, *link) for link in FIBRES]
        relays = [_relay(fleet, "The sites share no link")]
        _say("Two applications ask for the same key, by etsi-qkd-014-client and by curl.")
        shared = [key_clients.share(keys)]
        _say("Two rotators give a WireGuard interface its preshared key; a stand-in takes the calls of wg.")
        rotated = key_tunnel.rotate(directory, family, keys)
        _say("The satellite passes over both sites.")
        sessions += [_exchange(fleet, *link) for link in DOWNLINKS]
        _say("An eavesdropper intercepts the light of the first fibre.")
        sessions.append(_exchange(fleet, *FIBRES[0], eavesdropper=True))
        relays.append(_relay(fleet, "The link is marked, and the next key goes another way"))
        shared.append(key_clients.share(keys))
        return Tour(sessions, relays, fleet.keys.alarms(), tuple(shared), rotated)


def _until_linked(fleet: Fleet) -> None:
    """Wait until the control plane has every link up, and both ends of each have told their stock."""
    end = time.monotonic() + _LIMIT_S
    while True:
        links = fleet.keys.links()
        told = [one for one in links if all(side.told is not None for side in one.ends)]
        if len(told) == len(FIBRES + DOWNLINKS) and all(one.state == "up" for one in links):
            return
        if time.monotonic() > end:
            state = "; ".join(f"{one.link} is {one.state} {one.reason}" for one in links)
            raise errors.StillRunning(f"the links did not come up: {state}")
        time.sleep(_STEP_S)


def _exchange(fleet: Fleet, a: str, b: str, *, eavesdropper: bool = False) -> api.KeySessionView:
    _say(f"A key session over {a} - {b}.")
    listener: api.KeyListener | None = "intercept" if eavesdropper else None
    ordered = _repeated(lambda: fleet.keys.exchange(a, b, eavesdropper=listener))
    return fleet.keys.wait_for_session(ordered.session, timeout_s=_LIMIT_S)


def _relay(fleet: Fleet, why: str) -> api.KeyRelayView:
    _say(f"{why}: a key of {RELAY_BYTES} bytes is relayed.")
    ordered = _repeated(lambda: fleet.keys.relay(*ENDS, size=RELAY_BYTES))
    return fleet.keys.wait_for_relay(ordered.relay, timeout_s=_LIMIT_S)


def _repeated(ask: Callable[[], T]) -> T:
    """Ask until it is granted: the stocks of the last sessions may be on their way."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except errors.Refused:
            if time.monotonic() > end:
                raise
            time.sleep(_STEP_S)


def _show(tour: Tour, *, json: bool) -> None:
    basis = draw.basis([*tour.sessions, *tour.relays])
    if json:
        told = {
            "well": tour.well,
            "sessions": tour.sessions,
            "relays": tour.relays,
            "alarms": tour.alarms,
            "key_ids": [one.key_id for one in tour.shared],
            "rotated": tour.rotated,
            "seconds": tour.seconds,
            "simulated": ["light"] if basis else [],
            "stand_ins": ["wg"],
        }
        terminal.write_json(told)
        return
    console = terminal.output()
    console.print(draw.sessions(tour.sessions))
    console.print(draw.relays(tour.relays))
    console.print(draw.alarms(tour.alarms))
    for one in tour.shared:
        terminal.say(f"alice and bob have the same key, {one.key_id}.")
    same = "the same preshared key" if tour.rotated else "different preshared keys"
    terminal.say(f"Both rotators called wg with {same}. A stand-in took the calls: there is no tunnel here.")
    if basis:
        terminal.say(basis)
    word = "All of it held" if tour.well else "NOT all of it held"
    terminal.say(f"{word}; {tour.seconds:.0f} s. Logs: the directory of the demo.", "bold")


def _say(text: str) -> None:
    terminal.say(text)
