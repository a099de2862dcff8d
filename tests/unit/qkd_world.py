"""Two ends of a session with a path between them that loses, cuts and repeats, and disks that last."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import msgspec
import numpy as np

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.authentication import Tagger
from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.exchange import effects, end
from qfleet_agent.qkd.exchange.alice import Alice
from qfleet_agent.qkd.exchange.bob import Bob
from qfleet_agent.qkd.exchange.effects import Effect, Record, Role
from qfleet_agent.qkd.exchange.reconciling import Done, Method
from qfleet_agent.qkd.exchange.settling import Restored, stranger
from qfleet_agent.qkd.quantum import laws
from qfleet_agent.qkd.quantum.apparatus import Bits
from qfleet_agent.qkd.quantum.simulated import SimulatedDevice

Either: TypeAlias = Alice | Bob | Restored
Law: TypeAlias = laws.PulseLaw | laws.PairLaw | None
ENDS: tuple[Role, Role] = ("alice", "bob")


@dataclass
class Disk:
    """What is durable at one end. ``keys`` may only be used where ``usable``."""

    record: Record | None = None
    key: bytes | None = None
    usable: bool = False
    destroyed: bool = False
    released: int = 0


@dataclass
class World:
    """Both ends, their disks, and what is on its way to each: the oldest first."""

    session: plan.Plan
    ends: dict[Role, Either]
    taggers: dict[Role, Tagger | None]
    disks: dict[Role, Disk] = field(default_factory=lambda: {"alice": Disk(), "bob": Disk()})
    way: dict[Role, list[bytes]] = field(default_factory=lambda: {"alice": [], "bob": []})
    alarms: list[tuple[Role, effects.Alarm]] = field(default_factory=list)

    def begin(self) -> None:
        """Bob listens, then Alice begins."""
        for role in ("bob", "alice"):
            one = self.ends[role]
            assert not isinstance(one, Restored)
            self.perform(role, one.begin())

    def perform(self, role: Role, asked: list[Effect], *, until: int | None = None) -> None:
        """Do what an end asks; with ``until`` the power fails after so many effects."""
        disk, other = self.disks[role], self.other(role)
        for effect in asked[:until]:
            match effect:
                case effects.Save():
                    disk.record = effect.record
                case effects.Keep():
                    assert not disk.destroyed
                    disk.record, disk.key = effect.record, effect.key
                case effects.Release():
                    assert disk.key is not None
                    disk.record, disk.usable = effect.record, True
                    disk.released += 1
                case effects.Destroy():
                    assert not disk.usable, "a key that may have been used was destroyed"
                    disk.record, disk.key, disk.destroyed = effect.record, None, True
                case effects.Forget():
                    assert disk.record is not None
                    disk.record = None
                case effects.Alarm():
                    self.alarms.append((role, effect))
                case effects.Send():
                    self.way[other].append(effect.data)
            self.check()

    def check(self) -> None:
        """No key is released at one end that the other does not hold, and both hold the same."""
        for role in ENDS:
            if self.disks[role].usable:
                assert self.disks[self.other(role)].key == self.disks[role].key is not None

    def step(self, role: Role, *, until: int | None = None) -> None:
        """Give an end the next message on its way."""
        data = self.way[role].pop(0)
        asked = self.ends[role].heard(data) if self.disks[role].record else stranger(data)
        self.perform(role, asked, until=until)

    def restart(self, role: Role) -> None:
        """The process of an end ends, and another goes on from what was saved."""
        record = self.disks[role].record
        if record is not None:
            restored = Restored(record, self.taggers[role])
            self.ends[role] = restored
            self.perform(role, restored.begin())

    def run(self, most: int = 2000) -> None:
        """Deliver everything, and nudge both where all is still, until nothing more happens."""
        still = 0
        for _ in range(most):
            ready = [role for role in ENDS if self.way[role]]
            if ready:
                still = 0
                self.step(ready[0])
                continue
            still += 1
            if still > 2:
                return
            for role in ENDS:
                if self.disks[role].record:
                    self.perform(role, self.ends[role].nudged())
        raise AssertionError("the two ends never come to rest")

    def settled(self) -> bool:
        """Both ends have the key, or neither, and nothing is left to be said."""
        a, b = self.disks["alice"], self.disks["bob"]
        return a.record is None and b.record is None and a.usable == b.usable and a.key == b.key

    def copy(self) -> "World":
        """The same, to go another way from here."""
        return copy.deepcopy(self)

    @staticmethod
    def other(role: Role) -> Role:
        """The other end."""
        return "bob" if role == "alice" else "alice"


def world(
    session: plan.Plan,
    method: Method | None = None,
    *,
    law: Law = None,
    link_key: bytes = b"",
    change: Callable[[Role, end.Kit], end.Kit] = lambda _, kit: kit,
) -> World:
    """Two ends that are ready to begin."""
    rng = np.random.default_rng(11)
    taggers: dict[Role, Tagger | None] = {role: Tagger(link_key) if link_key else None for role in ENDS}
    kits = {}
    for role in ENDS:
        kit = end.Kit(
            session=session,
            apparatus=device(session, role, law),
            randomness=rng.bytes(end.randomness_bytes(session, role)),
            method=method,
            tagger=taggers[role],
        )
        kits[role] = change(role, kit)
    return World(session, {"alice": Alice(kits["alice"]), "bob": Bob(kits["bob"])}, taggers)


def device(session: plan.Plan, role: Role, law: Law) -> Callable[[bytes], SimulatedDevice]:
    """What makes an end's device of the seed."""
    return lambda seed: SimulatedDevice(session, seed, role, law)


def other_plan(session: plan.Plan) -> Callable[[Role, end.Kit], end.Kit]:
    """Bob with a plan of his own."""
    return lambda role, kit: replace(kit, session=session) if role == "bob" else kit


def tampered(data: bytes, position: int) -> bytes:
    """The same message with one bit of its body turned over."""
    read = msgspec.msgpack.decode(data)
    body = bytearray(read[3])
    body[position // 8 % len(body)] ^= 1 << position % 8
    read[3] = bytes(body)
    return msgspec.msgpack.encode(read)


class Told:
    """A reconciliation in two messages, for tests of everything around it: it is told Alice's key.

    ``spoil`` leaves Bob's key as it was, as a reconciliation that fails unseen would.
    """

    def __init__(self, *, spoil: bool = False) -> None:
        self._keys: list[Bits] = []
        self._spoil = spoil

    def named(self, bits: int, error_rate: float) -> str:
        assert bits
        assert 0.0 < error_rate < 0.5
        return "told"

    def answerer(self, key: Bits, error_rate: float, secret: bytes) -> "_ToldAnswerer":
        assert secret
        assert 0.0 < error_rate < 0.5
        self._keys.append(key)
        return _ToldAnswerer(len(key) // 8)

    def corrector(self, key: Bits, error_rate: float, seed: bytes) -> "_ToldCorrector":
        assert 0.0 < error_rate < 0.5
        assert seed
        return _ToldCorrector(self, key)

    def corrected(self, key: Bits) -> Done:
        right = key if self._spoil else self._keys[-1]
        return Done(right, len(key) // 8, int(np.count_nonzero(key != right)))


class _ToldAnswerer:
    def __init__(self, leaked: int) -> None:
        self.leaked = leaked

    def begin(self) -> bytes:
        return b""

    def answer(self, question: bytes) -> bytes:
        return question


class _ToldCorrector:
    def __init__(self, method: Told, key: Bits) -> None:
        self._method, self._key = method, key

    def begin(self) -> bytes:
        return b"?"

    def heard(self, answer: bytes) -> bytes | Done:
        if answer != b"?":
            raise ExchangeInvalid("that is no answer")
        return self._method.corrected(self._key)
