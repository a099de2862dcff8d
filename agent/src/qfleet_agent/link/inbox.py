"""What the broker delivers: through the door, under the session, into events. It never raises.

What does not open is counted and dropped. A stale or forged message changes nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from qfleet_agent.machine import events
from qfleet_wire import codec, door, payloads
from qfleet_wire.channel import rates
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.session import Dropped
from qfleet_wire.channel.sessions import Sessions
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import DeviceName, Millis

ForKeys: TypeAlias = payloads.FromPeer | payloads.PeerRefused | payloads.KeyOrder | payloads.KeyReportStored

log = logging.getLogger(__name__)


class Inbox:
    """Opens what comes down to one device."""

    def __init__(
        self,
        device: DeviceName,
        sessions: Sessions,
        *,
        now: Callable[[], Millis],
        number: Callable[[], int],
        tell: Callable[[events.Event], None],
    ) -> None:
        self._device = device
        self._sessions = sessions
        self._now = now
        self._number = number
        self._tell = tell
        self._answer: Callable[[door.Frame], None] = _nobody
        self._controller_came: Callable[[], None] = _nothing
        self.for_keys: Callable[[ForKeys], None] = _no_keys
        """Who takes what is for the key process: what other devices sent, orders, and answers."""
        self._drops = rates.Drops()
        self.dropped: Counter[str] = Counter()
        """Messages that gave nothing, by reason."""
        self.opened = 0
        """Messages that opened."""

    def connect(self, answer: Callable[[door.Frame], None], controller_came: Callable[[], None]) -> None:
        """Say who takes the answers to handshakes, and the hint that a controller has connected."""
        self._answer = answer
        self._controller_came = controller_came

    def deliver(self, topic: str, payload: bytes) -> None:
        """Take in a message from the broker, whatever it is."""
        match door.read(topic, payload):
            case door.Frame(kind, _, envelope) if kind is Kind.SEALED:
                self._open(envelope)
            case door.Frame() as frame if frame.device == self._device:
                self._answer(frame)
            case door.Record():
                self._controller_came()
            case door.Rejected(reason, text):
                self._drop(reason, text)
            case other:
                self._drop("unexpected", type(other).__name__)

    def _open(self, envelope: bytes) -> None:
        outcome = self._sessions.open(envelope, self._now())
        if isinstance(outcome, Dropped):
            self._drop(outcome, f"an envelope of {len(envelope)} bytes")
            if self._drops.count(outcome, self._now()):
                log.warning("Somebody forges messages to this device.", extra={"action": "forged"})
            return
        try:
            batch, items = codec.unpack_down(outcome.plaintext)
        except RemoteError as error:
            self._drop("content", str(error))
            return
        self.opened += 1
        known: list[payloads.Down] = []
        unknown: list[str] = []
        for raw, item in zip(batch.items, items, strict=True):
            if isinstance(item, ForKeys):
                self.for_keys(item)
            elif isinstance(item, payloads.Unsupported) and not _says_so(raw):
                unknown.append(item.kind)
            else:
                known.append(item)
        if known or unknown or not items:
            self._tell(events.Heard(self._number(), batch.epoch, batch.sent, known, unknown))

    def _drop(self, reason: str, text: str) -> None:
        self.dropped[reason] += 1
        log.debug("A message was dropped (%s): %s", reason, text, extra={"action": "dropped"})


def _says_so(raw: msgspec.Raw) -> bool:
    """Whether the controller itself said ``Unsupported``, and the item is not merely unknown here."""
    try:
        codec.decode(raw, payloads.Unsupported)
    except RemoteError:
        return False
    return True


def _nobody(_frame: door.Frame) -> None:
    """Take a frame that nobody waits for."""


def _no_keys(_item: ForKeys) -> None:
    """Drop what is for a key process: there is none."""


def _nothing() -> None:
    """Take a hint that nobody waits for."""
