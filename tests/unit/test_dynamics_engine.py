"""Solutions against closed forms, matrix exponentials, and QuTiP called by hand."""

from typing import Any

import msgspec
import numpy as np
import pytest
import scipy.linalg  # type: ignore[import-untyped] # ships no types
from tests.unit import dynamics_cases as cases

from qfleet_agent.engines import execution
from qfleet_agent.engines.dynamics import runner
from qfleet_agent.engines.dynamics.library import qutip
from qfleet_agent.engines.errors import MemoryShort, ProgramFailed, WorkInvalid
from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.plan import Slice
from qfleet_wire import api, codec, workload
from qfleet_wire.workload import formula
from qfleet_wire.workload.dynamics import Factor, Preparation, Product, Subsystem, Term

Q, T, C = cases.SUBSYSTEM, cases.TERM, cases.COLLAPSE
GRID = api.DynamicsGrid(6.0, points=31)
TIMES = np.linspace(0.0, 6.0, 31)
TIGHT = {"rtol": 1e-9, "atol": 1e-11}


def test_rabi_oscillation() -> None:
    """P₁ = Ω²/(Ω² + Δ²) sin²(√(Ω² + Δ²) t/2): Rabi, Phys. Rev. 51, 652 (1937)."""
    found = cases.solved(
        hamiltonian=(T("X(q)", "omega/2"), T("Z(q)", "-delta/2")),
        observables=("P(q, 1)",),
        times=GRID,
        constants={"omega": 1.3},
        parameters=({"delta": 0.0}, {"delta": 0.9}),
        **TIGHT,
    )
    for curve, delta in zip(found[:, 0], (0.0, 0.9), strict=True):
        total = np.hypot(1.3, delta)
        assert np.abs(curve - (1.3 / total * np.sin(total * TIMES / 2)) ** 2).max() < 1e-8


def test_decay_at_a_rate_that_changes() -> None:
    """d<n>/dt = -γ(t) <n>, here with γ = g e^{-t}: <n> = exp(-g (1 - e^{-t}))."""
    found = cases.solved(
        hamiltonian=(),
        collapse=(C("a(q)", "g*exp(-t)"),),
        initial={"q": "1"},
        observables=("n(q)",),
        times=GRID,
        parameters=({"g": 0.4}, {"g": 2.0}),
        **TIGHT,
    )
    for curve, g in zip(found[:, 0], (0.4, 2.0), strict=True):
        assert np.abs(curve - np.exp(-g * (1 - np.exp(-TIMES)))).max() < 1e-8


def test_dephasing_takes_coherence_and_leaves_populations() -> None:
    """With C = √γ Z: <X> falls as e^{-2γt}."""
    found = cases.solved(
        hamiltonian=(),
        collapse=(C("Z(q)", "0.2"),),
        initial={"q": "+"},
        observables=("X(q)", "n(q)"),
        times=GRID,
    )[0]
    assert np.abs(found[0] - np.exp(-0.4 * TIMES)).max() < 1e-5
    assert np.abs(found[1] - 0.5).max() < 1e-12


def test_a_driven_damped_cavity_stays_coherent() -> None:
    """α(t) = α∞ (1 - e^{-(iΔ + κ/2)t}), α∞ = -iε/(iΔ + κ/2): Walls and Milburn, Quantum Optics, ch. 7."""
    epsilon, delta, kappa = 0.5, 0.7, 0.6
    found = cases.solved(
        subsystems=(Q("c", "mode", levels=14),),
        hamiltonian=(T("n(c)", "delta"), T("a(c) + adag(c)", "0.5")),
        collapse=(C("a(c)", "kappa"),),
        observables=("n(c)", "a(c) + adag(c)"),
        times=api.DynamicsGrid(30.0, points=31),
        constants={"delta": delta, "kappa": kappa},
    )[0]
    pole = 1j * delta + kappa / 2
    alpha = -1j * epsilon / pole * (1 - np.exp(-pole * np.linspace(0, 30, 31)))
    assert np.abs(found[0] - np.abs(alpha) ** 2).max() < 1e-4
    assert np.abs(found[1] - 2 * alpha.real).max() < 1e-4
    assert found[0, -1] == pytest.approx(epsilon**2 / (delta**2 + kappa**2 / 4), abs=1e-3)


def test_landau_zener() -> None:
    """P = exp(-2π g²/v) to stay in the level: Zener, Proc. R. Soc. A 137, 696 (1932)."""
    found = cases.solved(
        hamiltonian=(T("Z(q)", "0.5*v*t"), T("X(q)", "g")),
        observables=("P(q, 0)",),
        times=(-80.0, 80.0),
        constants={"v": 1.0},
        parameters=({"g": 0.2}, {"g": 0.4}),
    )
    expected = np.exp(-2 * np.pi * np.array([0.2, 0.4]) ** 2)
    # The crossing is cut off at |vt| = 80: what is left oscillates with amplitude of order g/(vt).
    assert np.abs(found[:, 0, 1] - expected).max() < 0.011


def test_a_thermal_bath_warms_a_mode() -> None:
    """<n>(t) = n̄ + (n₀ - n̄) e^{-κt} for damping κ(n̄ + 1) and heating κ n̄; a thermal state keeps its form."""
    found = cases.solved(
        subsystems=(Q("c", "mode", levels=30),),
        hamiltonian=(),
        collapse=(C("a(c)", "k*(nbar + 1)"), C("adag(c)", "k*nbar")),
        initial={"c": "thermal(0.2)"},
        observables=("n(c)",),
        times=GRID,
        constants={"k": 0.5, "nbar": 1.0},
    )[0, 0]
    assert np.abs(found - (1.0 - 0.8 * np.exp(-0.5 * TIMES))).max() < 1e-4


PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0, -1.0]),
}


def product(letters: str) -> Any:
    found = np.eye(1)
    for letter in letters:
        found = np.kron(found, PAULI[letter])
    return found


def test_a_random_spin_chain_agrees_with_exact_diagonalisation() -> None:
    rng = np.random.default_rng(3)
    words = ["XXI", "IYZ", "ZII", "IZX", "YIY", "IIX", "ZZZ"]
    numbers = rng.normal(size=len(words))

    def told(word: str) -> str:
        return "*".join(f"{letter}(q{index})" for index, letter in enumerate(word) if letter != "I")

    found = cases.solved(
        subsystems=tuple(Q(f"q{index}") for index in range(3)),
        hamiltonian=tuple(T(told(word), repr(float(x))) for word, x in zip(words, numbers, strict=True)),
        initial={"q0": "1", "q1": "+", "q2": "-i"},
        observables=tuple(told(word) for word in words),
        times=GRID,
        **TIGHT,
    )[0]
    hamiltonian = sum(x * product(word) for word, x in zip(words, numbers, strict=True))
    start = np.kron(np.kron([0, 1], np.array([1, 1]) / np.sqrt(2)), np.array([1, -1j]) / np.sqrt(2))
    energies, vectors = np.linalg.eigh(hamiltonian)
    for number, t in enumerate(TIMES):
        state = vectors @ (np.exp(-1j * energies * t) * (vectors.conj().T @ start))
        expected = [(state.conj() @ product(word) @ state).real for word in words]
        assert np.abs(found[:, number] - expected).max() < 1e-7


def test_a_damped_pair_agrees_with_the_exponential_of_its_liouvillian() -> None:
    found = cases.solved(
        subsystems=(Q("p"), Q("q")),
        hamiltonian=(T("X(p)*X(q) + 0.3*Z(p)"), T("a(p)*adag(q) + adag(p)*a(q)", "0.4")),
        collapse=(C("a(p)", "0.3"), C("Z(q) + 0.5*X(p)", "0.1")),
        initial={"p": "1", "q": "+i"},
        observables=("Z(p)", "Y(q)", "X(p)*Y(q)"),
        times=GRID,
        **TIGHT,
    )[0]
    lower = np.array([[0, 1], [0, 0]])
    hop = np.kron(lower, lower.T)
    hamiltonian = product("XX") + 0.3 * product("ZI") + 0.4 * (hop + hop.T)
    jumps = [np.sqrt(0.3) * np.kron(lower, np.eye(2)), np.sqrt(0.1) * (product("IZ") + 0.5 * product("XI"))]
    one = np.eye(4)
    # vec of rows: A ρ B ↦ (A ⊗ Bᵀ) vec ρ
    liouvillian = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for jump in jumps:
        rate = jump.conj().T @ jump
        liouvillian = (
            liouvillian + np.kron(jump, jump.conj()) - 0.5 * (np.kron(rate, one) + np.kron(one, rate.T))
        )
    start = np.kron([0, 1], np.array([1, 1j]) / np.sqrt(2))
    vector = np.outer(start, start.conj()).ravel()
    for number, t in enumerate(TIMES):
        rho = (scipy.linalg.expm(liouvillian * t) @ vector).reshape(4, 4)
        expected = [np.trace(product(word) @ rho).real for word in ("ZI", "IY", "XY")]
        assert np.abs(found[:, number] - expected).max() < 1e-7


def test_a_driven_qubit_in_a_cavity_agrees_with_qutip_called_by_hand() -> None:
    work: dict[str, Any] = {
        "subsystems": (Q("q"), Q("c", "mode", levels=8), Q("s", "spin", j=1.0)),
        "hamiltonian": (
            T("n(c)", "1.1"),
            T("adag(c)*a(q)", "g*exp(-1j*nu*t)", add_adjoint=True),
            T("Jx(s)", "0.4*cos(nu*t)"),
            T("Jz(s)*n(q)", "0.7"),
        ),
        "initial": {"q": "1", "c": "coherent(0.3 + 0.2j)", "s": "down"},
        "observables": ("n(c)", "Y(q)", "Jz(s)"),
        "times": GRID,
        "constants": {"g": 0.6, "nu": 0.8},
        **TIGHT,
    }
    qubit, mode, spin = qutip.qeye(2), qutip.qeye(8), qutip.qeye(3)
    q = qutip.tensor(qutip.sigmap(), mode, spin)  # QuTiP's sigmap takes |1> to |0>
    c = qutip.tensor(qubit, qutip.destroy(8), spin)
    jx, jz = (qutip.tensor(qubit, mode, qutip.jmat(1, axis)) for axis in "xz")
    drive = c.dag() * q
    hamiltonian = [
        1.1 * c.dag() * c + 0.7 * jz * q.dag() * q,
        [drive, lambda t: 0.6 * np.exp(-0.8j * t)],
        [drive.dag(), lambda t: 0.6 * np.exp(0.8j * t)],
        [jx, lambda t: 0.4 * np.cos(0.8 * t)],
    ]
    coherent = qutip.coherent(8, 0.3 + 0.2j, method="analytic").unit()
    start = qutip.tensor(qutip.basis(2, 1), coherent, qutip.basis(3, 2))
    means = [c.dag() * c, qutip.tensor(qutip.sigmay(), mode, spin), jz]
    options = {"method": "adams", "rtol": 1e-9, "atol": 1e-11, "nsteps": 100_000}
    direct = qutip.sesolve(hamiltonian, start, TIMES, e_ops=means, options=options)
    assert np.abs(cases.solved(**work)[0] - np.array(direct.expect)).max() < 1e-6
    jumps = [np.sqrt(0.2) * c, [q, lambda t: np.sqrt(0.3 / (1 + t))]]
    direct = qutip.mesolve(hamiltonian, start, TIMES, jumps, e_ops=means, options=options)
    damped = cases.solved(**work, collapse=(C("a(c)", "0.2"), C("a(q)", "0.3/(1 + t)")))
    assert np.abs(damped[0] - np.array(direct.expect)).max() < 1e-6


def test_trajectories_scatter_about_the_master_equation_as_their_errors_say() -> None:
    work: dict[str, Any] = {
        "hamiltonian": (T("X(q)", "0.8"),),
        "collapse": (C("a(q)", "0.5"), C("Z(q)", "0.1")),
        "initial": {"q": "1"},
        "observables": ("Z(q)", "Y(q)"),
        "times": (0.0, 1.0, 2.0, 4.0),
    }
    exact = cases.solved(**work)[0]
    job = cases.specification(method="mcsolve", trajectories=384, **work)
    result = cases.ran(job)
    (item,) = cases.viewed(job, result).items
    assert item.trajectories == 384
    found = np.array([curve.values for curve in item.curves])
    spread = np.array([curve.standard_errors for curve in item.curves])
    assert not item.curves[0].exact
    assert (spread[:, 1:] > 0.01).all()
    assert (spread[:, 1:] < 0.06).all()
    # 6.5 standard errors: p < 1e-10 for each of six values
    assert (np.abs(found - exact) <= 6.5 * spread + 1e-6).all()


def test_a_jump_time_does_not_depend_on_the_unit_of_time() -> None:
    """The same system in nanoseconds and in seconds gives the same trajectories."""
    runs = [
        cases.ran(
            cases.specification(
                hamiltonian=(T("X(q)", repr(0.8 / unit)),),
                collapse=(C("a(q)", repr(0.5 / unit)),),
                initial={"q": "1"},
                times=(0.0, unit, 3 * unit),
                method="mcsolve",
                trajectories=32,
            )
        )
        .items[0]
        .moments[0]
        .sums
        for unit in (1.0, 1e-9)
    ]
    assert np.abs(np.array(runs[0]) - np.array(runs[1])).max() < 0.01


# ── what a device refuses ────────────────────────────────────────────────────────────────────────


def test_a_system_that_does_not_fit_is_refused_with_the_numbers() -> None:
    job = cases.specification(
        subsystems=tuple(Q(f"q{n}") for n in range(12)),
        hamiltonian=(T("Z(q0)"),),
        observables=("Z(q0)",),
        method="mesolve",
    )
    with pytest.raises(
        MemoryShort, match=r"matrix of dimension 4096 needs \d{4,} MiB, QuTiP included.*640 MiB"
    ):
        cases.ran(job, budget=640 << 20)
    with pytest.raises(MemoryShort, match="the task may use 64 MiB"):
        cases.ran(cases.specification(), budget=64 << 20)


def test_a_coefficient_that_is_found_out_late_fails_with_its_time() -> None:
    # The pole lies between the times that were looked at when the job was submitted.
    job = cases.specification(hamiltonian=(T("Z(q)", "sqrt(abs(t - 0.4) - 0.01)"),), initial={"q": "+"})
    with pytest.raises(ProgramFailed, match=r"of the Hamiltonian has no finite value at t = 0\.\d"):
        cases.ran(job)
    job = cases.specification(collapse=(C("a(q)", "abs(t - 0.4) - 0.01"),), initial={"q": "1"})
    with pytest.raises(ProgramFailed, match=r"rate 0 is -0\.\d+ at t = 0\.\d+: a rate is 0 or more"):
        cases.ran(job)


def _broken(**system: Any) -> workload.DynamicsSolve:
    job = cases.specification()
    work: Any = codec.decode(kinds.encode(job, Slice(0, 1, 0, 0)), workload.DynamicsSolve)
    broken: workload.DynamicsSolve = msgspec.structs.replace(
        work, system=msgspec.structs.replace(work.system, **system)
    )
    return broken


X = (Product(1.0, 0.0, (Factor(0, "X"),)),)


@pytest.mark.parametrize(
    ("system", "told"),
    [
        ({"subsystems": ()}, "at least one subsystem"),
        ({"subsystems": (Subsystem("qubit", 3),)}, "a qubit has 2 levels"),
        ({"times": (0.0,)}, "1 times"),
        ({"times": (1.0, 0.0)}, "do not ascend"),
        ({"rtol": 0.0}, "tolerances"),
        ({"method": "mcsolve"}, "mcsolve with 0 jump operators"),
        ({"hamiltonian": (Term((Product(1.0, 0.0, (Factor(1, "X"),)),)),)}, "names subsystem 1"),
        ({"hamiltonian": (Term((Product(1.0, 0.0, (Factor(0, "Jx"),)),)),)}, "Jx is no operator of a qubit"),
        ({"hamiltonian": (Term((Product(1.0, 0.0, (Factor(0, "P", 2),)),)),)}, "level 2"),
        ({"hamiltonian": (Term((Product(float("inf"), 0.0, ()),)),)}, "not finite"),
        ({"hamiltonian": (Term(X, formula.Parameter(0)),)}, "parameter 0 of 0"),
        ({"hamiltonian": (Term(X, formula.Call("sqrt", formula.Number(0, 1))),)}, "sqrt of a complex"),
        ({"initial": ()}, "0 initial states"),
        ({"initial": (Preparation("level", 2),)}, "initial level 2"),
        ({"initial": (Preparation("thermal"),)}, "cannot begin thermal"),
        ({"parameters": ("w",)}, "gives 0 parameters"),
    ],
)
def test_a_work_that_means_nothing_is_refused(system: dict[str, Any], told: str) -> None:
    with pytest.raises(WorkInvalid, match=told):
        runner.run(_broken(**system), budget=cases.BUDGET, report=lambda _: None)


def test_another_kind_is_refused() -> None:
    with pytest.raises(WorkInvalid, match="ProbeEcho is no work"):
        runner.run(workload.ProbeEcho(), budget=cases.BUDGET, report=lambda _: None)


def test_progress_rises_to_the_end() -> None:
    shares: list[float] = []
    job = cases.specification(hamiltonian=(T("X(q)", "w"),), times=GRID, parameters=({"w": 1.0}, {"w": 2.0}))
    work: Any = codec.decode(kinds.encode(job, Slice(0, 2, 0, 0)), workload.DynamicsSolve)
    execution.execute(work, budget=cases.BUDGET, report=shares.append)
    assert shares == sorted(shares)
    assert len(shares) == 60
    assert shares[-1] == 1.0
