"""What final measurements read where outcomes are misread.

This is part of the specification of answers. After the draw that picks a shot's basis state, each final
measurement of a qubit that is misread takes the next one u, in order of the program; the reading is wrong
where u is at least 1 - e, with e the probability to misread that outcome. A qubit that is measured twice is
read twice.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qfleet_agent.engines import noise_checks, tally
from qfleet_agent.engines.draws import Indices, Uniforms
from qfleet_agent.engines.finals import Final
from qfleet_wire import circuit


class Readings:
    """The final measurements of a program; bit j of a reading belongs to the j-th of them.

    ``misread`` has for each qubit the probabilities to read 0 as 1, and 1 as 0. ``layout`` puts readings
    where outcomes have them.
    """

    def __init__(
        self, program: circuit.Program, finals: Sequence[Final], misread: Mapping[int, tuple[float, float]]
    ) -> None:
        noise_checks.check_finals(len(finals))
        self._finals = [(final.qubit, misread.get(final.qubit)) for final in finals]
        self.layout = tally.Layout(
            program, [Final(place, final.slot, final.bit) for place, final in enumerate(finals)]
        )

    def read(self, states: Indices, draw: Callable[[int], Uniforms]) -> Indices:
        """Return the readings of basis states; ``draw(k)`` gives the k-th further number of each shot."""
        readings = np.zeros(len(states), np.int64)
        drawn = 0
        for place, (qubit, errors) in enumerate(self._finals):
            bits: Indices = states >> qubit & 1
            if errors is not None:
                wrong = draw(drawn) >= np.where(bits, 1 - errors[1], 1 - errors[0])
                bits = bits ^ wrong
                drawn += 1
            readings |= bits << place
        return readings
