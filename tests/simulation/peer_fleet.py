"""Devices of one fleet with their ends of the paths between them, and no network."""

from dataclasses import dataclass, field

from tests.simulation.wire_fleet import NOW, Fleet, seeded

from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.channel.peering import Peering, Taken
from qfleet_wire.channel.preshared import Ring
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.profile import Security

ALICE, BOB, CAROL = DeviceName("alice"), DeviceName("bob"), DeviceName("carol")


@dataclass
class End:
    """One device's end of its path to one other; it keeps what it read."""

    own: Credentials
    peer: DeviceName
    seed: str = "end"
    now: Millis = NOW
    security: Security = field(default_factory=Security)
    ring: Ring = field(default_factory=lambda: Ring(()))
    standing: Standing = field(default_factory=lambda: Standing(Millis(0)))

    def __post_init__(self) -> None:
        self.random = seeded((self.seed, self.own.identity, self.peer))
        self.path = Peering(self.own, self.peer, self.security, ring=self.ring)
        self.read: list[bytes] = []
        self.opened = 0
        self.dropped: list[str] = []
        self.refused: list[str] = []

    def begin(self) -> bytes:
        return self.path.begin(self.random)

    def seal(self, text: bytes) -> bytes:
        return self.path.seal(text, now=self.now, random=self.random)

    def take(self, frame: bytes) -> bytes | None:
        """Take a frame in; return what is sent back."""
        taken = self.path.take(frame, self.standing, now=self.now, random=self.random)
        self._note(taken)
        return taken.reply

    def _note(self, taken: Taken) -> None:
        self.opened += taken.opened
        if taken.plaintext is not None:
            self.read.append(taken.plaintext)
        if taken.dropped:
            self.dropped.append(taken.dropped)
        if taken.refused:
            self.refused.append(taken.refused)


def ends(fleet: Fleet, **both: object) -> tuple[End, End]:
    """The two ends of a path that has no session yet."""
    return (
        End(fleet.device(ALICE), BOB, **both),  # type: ignore[arg-type]  # the same words for both
        End(fleet.device(BOB), ALICE, **both),  # type: ignore[arg-type]  # as above
    )


def shake(one: End, other: End) -> None:
    """Let ``one`` begin, and confirm with a first message each way."""
    answer = other.take(one.begin())
    assert answer is not None
    assert one.take(answer) is None
    other.take(one.seal(b"first"))
    one.take(other.seal(b"second"))
    assert (one.read.pop(), other.read.pop()) == (b"second", b"first")
