"""The noise that a job asks for."""

from typing import Literal

from qfleet_wire.noise import Noise


class NoiseRequest(Noise, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A noise model of the job's own, or that of a firmware profile by name.

    ``method`` says how it is simulated: by the density matrix, by trajectories, or as the planner finds best.
    """

    profile: str = ""
    method: Literal["auto", "density", "trajectories"] = "auto"
