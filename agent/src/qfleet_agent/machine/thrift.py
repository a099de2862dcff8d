"""What the way in use means for what is sent: hints, telemetry, and how soon an answer can be there. Pure."""

from dataclasses import dataclass

from qfleet_agent.machine import events

ROUND_TRIPS = 4
"""Round trips within which an answer comes: one there and back, and as much again for what is lost."""


@dataclass(slots=True)
class Thrift:
    """As it is over the only way of a device, until ``over`` says otherwise."""

    thrifty: bool = False
    stretch: int = 1
    answer_ms: int = 0
    """How much longer than usual an answer may take."""
    _batches: int = 0

    def over(self, taken: events.WayTaken) -> None:
        """Go by the way that was taken."""
        self.thrifty, self.stretch = taken.thrifty, taken.stretch
        latency = taken.way.latency_ms or 0.0
        self.answer_ms = round(ROUND_TRIPS * latency) + 2 * taken.way.batch_ms if taken.thrifty else 0

    def telemetry_is_due(self) -> bool:
        """Whether the samples that were written now should be sent: one batch in ``stretch``."""
        self._batches = (self._batches + 1) % self.stretch
        return self._batches == 0
