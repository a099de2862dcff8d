"""What devices measured of themselves, read from the store and shown: run in a reader's thread."""

import itertools

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.store import queries
from qfleet_wire import api, codec, payloads
from qfleet_wire.names import DeviceName, Millis


def telemetry(connection: sa.Connection, device: DeviceName, since: Millis, limit: int) -> api.TelemetryView:
    """The last ``limit`` samples that are not older than ``since``, the oldest first, and their gaps."""
    rows = queries.telemetry(connection, device, limit, since=since)
    told = [codec.decode(body, payloads.Telemetry) for _, _, body in reversed(rows)]
    samples = tuple(_sample(one) for message in told for one in message.samples)
    gaps = tuple(
        api.TelemetryGap(before.sequence, after.sequence)
        for before, after in itertools.pairwise(samples)
        if after.sequence != before.sequence + 1
    )
    return api.TelemetryView(device, samples, gaps, told[-1].lost if told else 0)


def _sample(one: payloads.Sample) -> api.TelemetrySample:
    return api.TelemetrySample(**msgspec.structs.asdict(one))
