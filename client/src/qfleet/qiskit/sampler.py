"""The sampler primitive: outcomes of every classical register, shot by shot."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.primitives import (
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveResult,
    SamplerPubLike,
    SamplerPubResult,
)
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qfleet import errors, futures
from qfleet.fleet import Fleet
from qfleet.qiskit import programs
from qfleet.qiskit.jobs import PrimitivesJob
from qfleet.result import Result
from qfleet_wire import api


class FleetSampler(BaseSamplerV2):
    """Samples circuits on a fleet; mid-circuit measurement and control flow included.

    ``options`` are further fields of ``JobRequest``, such as ``residency`` or ``noise``. Without a ``fleet``
    the environment and the configuration file say which.
    """

    def __init__(
        self,
        fleet: Fleet | None = None,
        *,
        default_shots: int = 1024,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        self._fleet = fleet or Fleet.from_configuration()
        self._default_shots = default_shots
        self._seed = seed
        self._options = options

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> PrimitivesJob:
        """Submit one job for each pub.

        Raises:
            UserError: a circuit measures nothing, or cannot be written as OpenQASM.
        """
        given = [SamplerPub.coerce(pub, shots or self._default_shots) for pub in pubs]
        exported = [programs.export(pub.circuit) for pub in given]
        for pub, program in zip(given, exported, strict=True):
            if not program.registers:
                raise errors.UserError(
                    f"the circuit {pub.circuit.name!r} has no classical register",
                    hint="add measurements, for instance by circuit.measure_all()",
                )
        submitted = [self._submit(pub, program) for pub, program in zip(given, exported, strict=True)]

        def assemble(results: list[Result]) -> PrimitiveResult[SamplerPubResult]:
            parts = map(_pub_result, given, exported, results)
            return PrimitiveResult(list(parts), metadata={"version": 2})

        return PrimitivesJob(submitted, assemble)

    def _submit(self, pub: SamplerPub, program: programs.Exported) -> futures.JobFuture:
        values = pub.parameter_values.as_array(pub.circuit.parameters)
        request = api.JobRequest(
            kind="circuit.sample",
            name=pub.circuit.name,
            program=program.text,
            shots=pub.shots,
            parameters=programs.points(
                program.inputs, values.reshape(math.prod(pub.shape), len(program.inputs))
            ),
            seed=self._seed,
        )
        return futures.submit(request, fleet=self._fleet, **self._options)


def _pub_result(pub: SamplerPub, program: programs.Exported, result: Result) -> SamplerPubResult:
    view = result.view
    assert isinstance(view, api.SampleResultView)
    drawn = np.stack(
        [programs.bits(item.counts, program.width, view.seed + n) for n, item in enumerate(view.items)]
    ).reshape(*pub.shape, pub.shots, program.width)
    data = {register.name: _packed(drawn[..., register.bits]) for register in program.registers}
    metadata = {
        "shots": pub.shots,
        "circuit_metadata": pub.circuit.metadata,
        "job": view.job,
        "seed": view.seed,
    }
    return SamplerPubResult(DataBin(**data, shape=pub.shape), metadata=metadata)


def _packed(columns: npt.NDArray[np.bool_]) -> BitArray:
    """Bits of a register, bit 0 first, as Qiskit packs them: highest bit first, padded in front."""
    return BitArray.from_bool_array(columns[..., ::-1], order="big")
