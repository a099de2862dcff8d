"""``probe.echo``: a known answer."""

import msgspec


class ProbeEcho(msgspec.Struct, frozen=True, tag="probe.echo"):
    """Return ``data`` unchanged: a known-answer probe and the no-op of the benchmarks."""

    data: bytes = b""


class EchoResult(msgspec.Struct, frozen=True, tag="probe.echo"):
    """Answer to ``ProbeEcho``."""

    data: bytes
