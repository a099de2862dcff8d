"""What the controller is told of the way in use: when it is there, and how the device is heard over it."""

from qfleet_agent.ways.standing import Standing
from qfleet_wire import ways
from qfleet_wire.names import Millis


def told(taken: Standing, gateway: str, *, since: Millis, utc_ms: Millis, beat_ms: int) -> ways.Way:
    """Put it together at this moment; ``beat_ms`` is the time between heartbeats that no way stretches."""
    way, latency = taken.way, taken.latency_ms
    found = taken.outlook(utc_ms)
    gap_ms = 0
    if found is not None and found.returns is not None:
        # Without a window that is open, a plan has just closed it: the device goes now.
        gap_ms = found.returns - (utc_ms if found.present is None else found.present.closes)
    return ways.Way(
        name=way.name,
        kind=way.kind,
        since=since,
        latency_ms=None if latency is None else round(latency, 1),
        rhythm_ms=gap_ms + beat_ms * way.manner.stretch,
        batch_ms=way.manner.batch_ms,
        gateway=gateway,
        contact=None if found is None else found.present,
        returns=None if found is None else found.returns,
        planned=taken.is_planned(utc_ms),
    )
