"""The quantum question model, whose most likely parameters must be searched for."""

import numpy as np

from qfleet_applications.cognition.order_fits import Fit, Probabilities, equality, judged, log_likelihood
from qfleet_applications.cognition.order_search import Parameters, lowest
from qfleet_applications.cognition.orders import Survey

_STARTS = 24


def question_model(survey: Survey, seed: int) -> Fit:
    """The quantum question model, in a form with five parameters.

    Two subspaces of dimension 2 in a space of 4: two planes at angles θ₁, θ₂, a state with weights cos² and
    sin² of ω on the planes, at φ₁, φ₂ from "yes to A". Parameters: ω, θ₁, θ₂, φ₁, φ₂ in radians. By Jordan's
    lemma any two projectors part into such planes; more planes have more parameters. Not all that fulfils
    the equality is reached, since answers that never change allow no order effect; ``equality`` is the bound.
    """
    starts = np.random.default_rng(seed).uniform(-1.5, 1.5, (_STARTS, 5))

    def cost(parameters: Parameters) -> float:
        return -log_likelihood(survey, question_probabilities(parameters))

    best = lowest(cost, starts, -equality(survey).log_likelihood, slope=False)
    found = question_probabilities(best)
    return judged("quantum question model", 5, survey, found, tuple(float(value) for value in best))


def question_probabilities(parameters: Parameters) -> Probabilities:
    """Probabilities of the quantum question model, by projecting twice (Lüders' rule)."""
    weight, angles, states = np.cos(parameters[0]) ** 2, parameters[1:3], parameters[3:5]
    found = np.zeros((2, 4))
    for share, theta, phi in zip((weight, 1 - weight), angles, states, strict=True):
        same, other = np.cos(theta) ** 2, np.sin(theta) ** 2
        for order, at in enumerate((phi, phi - theta)):
            yes, no = np.cos(at) ** 2, np.sin(at) ** 2
            found[order] += share * np.array([yes * same, yes * other, no * other, no * same])
    return found
