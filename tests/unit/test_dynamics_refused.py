"""Every way to ask wrongly for dynamics: the field is named, and what to do."""

import math
from typing import Any

import msgspec
import pytest
from tests.unit import dynamics_cases as cases

from qfleet_controlplane.api.problems import _problem_of
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.compile.job import compile_job
from qfleet_wire import api

Q, T, C = cases.SUBSYSTEM, cases.TERM, cases.COLLAPSE
MODE = (Q("c", "mode", levels=10),)
CAVITY: dict[str, Any] = {"subsystems": MODE, "hamiltonian": (T("n(c)"),), "observables": ("n(c)",)}
DECAY = (C("a(q)", "0.1"),)


def refused(**work: Any) -> RequestRefused:
    with pytest.raises(RequestRefused) as refusal:
        compile_job(cases.asked(**work))
    return refusal.value


def many(count: int) -> tuple[api.DynamicsSubsystem, ...]:
    return tuple(Q(f"q{index}") for index in range(count))


@pytest.mark.parametrize(
    ("work", "field", "message", "hint"),
    [
        ({"subsystems": ()}, "work.subsystems", "is empty", "declare"),
        ({"subsystems": many(65)}, "work.subsystems", "65 entries", "at most 64"),
        ({"subsystems": (Q("2q"),)}, "work.subsystems[0].name", "is '2q'", "letter"),
        ({"subsystems": (Q("q"), Q("q"))}, "work.subsystems[1].name", "again", "of its own"),
        ({"subsystems": (Q("q", levels=3),)}, "work.subsystems[0].levels", "given for a qubit", "modes"),
        ({"subsystems": (Q("c", "mode"),)}, "work.subsystems[0].levels", "is 0", "2 to 10000"),
        ({"subsystems": (Q("s", "spin", j=0.7),)}, "work.subsystems[0].j", "is 0.7", "1.5"),
        ({"subsystems": (Q("c", "mode", levels=3, j=1),)}, "work.subsystems[0].j", "for a mode", "spins"),
        ({"hamiltonian": ()}, "work.hamiltonian", "is empty, and so is work.collapse", "evolves"),
        ({"observables": ()}, "work.observables", "is empty", "Z(q)"),
        ({"observables": ("a(q)",)}, "work.observables[0]", "is not Hermitian", "Hermitian parts"),
        (
            {
                "subsystems": (Q("c", "mode", levels=9000),),
                "hamiltonian": (T("(a(c) + adag(c))**7"),),
                "observables": ("n(c)",),
            },
            "work.hamiltonian",
            "multiplies matrices with 8,064,000 entries",
            "fewer products",
        ),
        ({"hamiltonian": (T("Z(q)"), T("a(q)"))}, "work.hamiltonian[1]", "not Hermitian", "add_adjoint"),
        ({"hamiltonian": (T("Z(q)", "1j"),)}, "work.hamiltonian[0]", "not Hermitian", "real"),
        (
            {"hamiltonian": (T("a(q)", "exp(1j*t)"), T("adag(q)", "exp(1j*t)"))},
            "work.hamiltonian[0]",
            "not Hermitian",
            "conjugate",
        ),
        ({"times": (0.0,)}, "work.times", "has 1 times", "2 to"),
        ({"times": (0.0, 2.0, 2.0)}, "work.times[2]", "is 2, after 2", "ascend"),
        ({"times": (0.0, math.inf)}, "work.times[1]", "is inf", "finite"),
        ({"times": api.DynamicsGrid(0.0)}, "work.times.stop", "is 0, start is 0", "after the start"),
        ({"times": api.DynamicsGrid(1.0, points=1)}, "work.times.points", "is 1", "from 2"),
        (
            {"hamiltonian": (T("X(q)", "1e300"),), "times": (0.0, 1e300)},
            "work.times",
            "needs about inf evaluations",
            "at most 1e+12",
        ),
        ({"max_step": 1e-300}, "work.times", "evaluations of the generator", "a longer max_step"),
        ({"method": "sesolve", "collapse": DECAY}, "work.method", "with collapse", "mesolve or mcsolve"),
        ({"method": "mcsolve", "trajectories": 9}, "work.method", "without collapse", "sesolve"),
        ({"method": "mcsolve", "collapse": DECAY}, "work.trajectories", "is 0", "2 to"),
        ({"trajectories": 5}, "work.trajectories", "given for sesolve", "leave it out"),
        ({"initial": {"p": "1"}}, "work.initial.p", "no subsystem", "subsystems are q"),
        ({"initial": {"q": "2"}}, "work.initial.q", "is level 2", "0 to 1"),
        ({"initial": {"q": "coherent(1)"}}, "work.initial.q", "is 'coherent(1)'", "'+i' or '-i'"),
        (
            {
                "subsystems": MODE,
                "hamiltonian": (T("n(c)"),),
                "observables": ("n(c)",),
                "initial": {"c": "coherent(3)"},
            },
            "work.initial.c",
            "loses 0.41 of its state beyond 10 levels",
            "more levels",
        ),
        (
            CAVITY | {"initial": {"c": "thermal(0.1)"}, "method": "sesolve"},
            "work.initial.c",
            "mixed state for sesolve",
            "mesolve",
        ),
        (
            CAVITY | {"initial": {"c": "thermal(-1)"}},
            "work.initial.c",
            "has -1 quanta",
            "0 or more",
        ),
        (
            {"hamiltonian": (T("Z(q)", "1/t"),)},
            "work.hamiltonian[0].coefficient",
            "no finite value at t = 0",
            "",
        ),
        ({"collapse": (C("a(q)", "t - 0.5"),)}, "work.collapse[0].rate", "is -0.5 at t = 0", "0 or more"),
        ({"collapse": (C("a(q)", "1j"),)}, "work.collapse[0].rate", "is complex", "real"),
        ({"collapse": (C("a(q) - a(q)", "1"),)}, "work.collapse[0].operator", "is 0", "leave"),
        ({"constants": {"t": 1.0}}, "work.constants.t", "have already", "another name"),
        ({"constants": {"w": math.nan}}, "work.constants.w", "is nan", "finite"),
        ({"parameters": ({"w": 1.0},)}, "work.parameters[0].w", "is used nowhere", "leave it out"),
        ({"constants": {"w": 1.0}}, "work.constants.w", "is used nowhere", "leave it out"),
        (
            {"hamiltonian": (T("Z(q)", "v + t"),), "constants": {"v": 2.0, "w": 1.0}},
            "work.constants.w",
            "is used nowhere",
            "leave it out",
        ),
        (
            {"hamiltonian": (T("Z(q)", "w"),), "parameters": ({"w": 1.0}, {})},
            "work.parameters[1]",
            "gives no value for w",
            "every point",
        ),
        (
            {"hamiltonian": (T("Z(q)", "w"),), "parameters": ({"w": 1.0}, {"w": 1.0, "v": 2.0})},
            "work.parameters[1].v",
            "is one more",
            "every point",
        ),
        (
            {"hamiltonian": (T("Z(q)", "w"),), "parameters": ({"w": 1.0},), "constants": {"w": 1.0}},
            "work.parameters[0].w",
            "a constant too",
            "one of the two",
        ),
        (
            {"hamiltonian": (T("Z(q)", "1/w"),), "parameters": ({"w": 1.0}, {"w": 0.0})},
            "work.hamiltonian[0].coefficient",
            "at work.parameters[1]",
            "",
        ),
        ({"rtol": 1.0}, "work.rtol", "is 1.0", "1e-12 to 0.01"),
        ({"atol": math.nan}, "work.atol", "is nan", ""),
        ({"max_step": -1.0}, "work.max_step", "is -1.0", ""),
        (
            {
                "subsystems": many(30),
                "hamiltonian": (T("Z(q0)"),),
                "observables": ("Z(q0)",),
                "method": "mesolve",
            },
            "work.subsystems",
            "dimension 1,073,741,824, for which mesolve needs",
            "mcsolve",
        ),
        (
            {"times": api.DynamicsGrid(1.0, points=100_000), "observables": ("Z(q)",) * 1000},
            "work.times",
            "may return",
            "fewer times",
        ),
    ],
)
def test_a_wrong_request_is_refused_by_its_field(
    work: dict[str, Any], field: str, message: str, hint: str
) -> None:
    error = refused(**work)
    assert error.field == field
    assert message in error.message
    assert hint in error.hint


def test_a_place_in_a_text_reaches_the_user_with_its_column() -> None:
    error = refused(hamiltonian=(T("Z(q)"), T("X(q)", "0.5 * omga")))
    problem = _problem_of(error, "invalid")
    assert problem.field == "work.hamiltonian[1].coefficient"
    assert problem.where == api.Place(1, 7)
    assert problem.message == "work.hamiltonian[1].coefficient, column 7: unknown name 'omga'"
    value = refused(
        initial={"c": "coherent(2 + bta)"}, subsystems=MODE, hamiltonian=(), collapse=(C("a(c)"),)
    )
    assert (value.field, value.column) == ("work.initial.c", 14)


def test_fields_of_programs_have_no_place_here() -> None:
    request = msgspec.structs.replace(cases.asked(), shots=5)
    with pytest.raises(RequestRefused, match="shots is given"):
        compile_job(request)


def test_the_method_is_chosen_by_what_is_asked() -> None:
    assert b"sesolve" in compile_job(cases.asked()).problem
    assert b"mesolve" in compile_job(cases.asked(collapse=DECAY)).problem


def test_conjugate_terms_make_a_hamiltonian_and_so_does_add_adjoint() -> None:
    spelled = (T("a(q)", "g*exp(-1j*w*t)"), T("adag(q)", "g*exp(t*w*1j)"))
    short = (T("a(q)", "g*exp(-1j*w*t)", add_adjoint=True),)
    shared = {"constants": {"g": 0.3}, "parameters": ({"w": 1.5},), "observables": ("Z(q)", "X(q)")}
    assert (cases.solved(hamiltonian=spelled, **shared) == cases.solved(hamiltonian=short, **shared)).all()
