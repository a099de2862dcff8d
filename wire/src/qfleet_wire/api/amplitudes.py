"""``circuit.amplitudes``: amplitudes and probabilities of given bit strings."""

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class AmplitudeView(msgspec.Struct, frozen=True):
    """The amplitude of one basis state, qubit 0 rightmost, and its squared magnitude."""

    bitstring: str
    real: float
    imaginary: float
    probability: float


class AmplitudeItemView(msgspec.Struct, frozen=True):
    """Amplitudes of one parameter point, in the order they were asked for."""

    parameters: dict[str, float]
    amplitudes: tuple[AmplitudeView, ...]


class AmplitudesResultView(msgspec.Struct, frozen=True, tag_field="kind", tag="circuit.amplitudes"):
    """Result of a job for amplitudes. The quantum state is simulated on the devices."""

    job: str
    status: JobStatus
    seed: int
    items: tuple[AmplitudeItemView, ...]
    sources: tuple[SourceView, ...]
