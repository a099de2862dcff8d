"""Results of jobs."""

import msgspec

from qfleet_wire.api.status import JobStatus


class SampleItemView(msgspec.Struct, frozen=True):
    """Counts of one parameter point; keys as Qiskit writes them, registers split by a space."""

    parameters: dict[str, float]
    shots: int
    counts: dict[str, int]


class ValueView(msgspec.Struct, frozen=True):
    """One expectation value. ``exact`` means evaluated on the state vector, without sampling."""

    observable: str
    value: float
    standard_error: float
    exact: bool


class ExpectItemView(msgspec.Struct, frozen=True):
    """Expectation values of one parameter point.

    ``gradient`` is empty unless it was asked: for each of ``values`` its derivative by name of input.
    """

    parameters: dict[str, float]
    values: tuple[ValueView, ...]
    gradient: tuple[dict[str, float], ...] = ()


class SourceView(msgspec.Struct, frozen=True):
    """Which device and engine computed how many tasks in how much time."""

    device: str
    engine: str
    engine_version: str
    tasks: int
    duration_ms: float


class SampleResultView(msgspec.Struct, frozen=True, tag_field="kind", tag="circuit.sample"):
    """Result of a sampling job. The quantum state is simulated on the devices."""

    job: str
    status: JobStatus
    seed: int
    items: tuple[SampleItemView, ...]
    sources: tuple[SourceView, ...]


class ExpectResultView(msgspec.Struct, frozen=True, tag_field="kind", tag="circuit.expect"):
    """Result of an expectation job. The quantum state is simulated on the devices."""

    job: str
    status: JobStatus
    seed: int
    items: tuple[ExpectItemView, ...]
    sources: tuple[SourceView, ...]


class EchoResultView(msgspec.Struct, frozen=True, tag_field="kind", tag="probe.echo"):
    """Result of an echo job: how many echoes came back right."""

    job: str
    status: JobStatus
    items: int
    sources: tuple[SourceView, ...]
