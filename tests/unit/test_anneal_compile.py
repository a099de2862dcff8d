"""Models as ``dimod`` writes them, and everything that may be wrong with a request."""

from typing import Any

import dimod
import pytest
from dimod.serialization import coo
from tests.unit import anneal_cases as cases

from qfleet_controlplane.compile import quadratic
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.compile.job import compile_job
from qfleet_wire import api, codec, workload
from qfleet_wire.workload import annealing

LABELLED = dimod.BinaryQuadraticModel(
    {"a": 1.5, ("x", 0): -2.0, 5: 0.0}, {("a", 5): 0.75, (("x", 0), "a"): -1.25}, 0.5, "BINARY"
)
SPINS = dimod.BinaryQuadraticModel({0: 0.5, 1: 0.0, 7: -1.0}, {(7, 0): 2.5, (0, 1): 1.0}, 0.0, "SPIN")


def _same(bqm: dimod.BinaryQuadraticModel, model: quadratic.Model) -> None:
    """Both give every state the same energy."""
    assert model.quadratic.variable_type == bqm.vartype.name
    assert set(model.labels) == set(bqm.variables)
    found = cases.exact(bqm)
    places = [list(found.variables).index(label) for label in model.labels]
    for state, energy in zip(found.record.sample[:, places], found.record.energy, strict=True):
        assert annealing.energy_of(model.quadratic, state.tolist()) == pytest.approx(energy, abs=1e-12)


@pytest.mark.parametrize("bqm", [LABELLED, SPINS, cases.model(5, "SPIN"), cases.model(5, "BINARY")])
def test_what_dimod_serializes_is_read(bqm: dimod.BinaryQuadraticModel) -> None:
    _same(bqm, quadratic.read(cases.serialized(bqm)))


def test_what_dimod_writes_as_coordinates_is_read() -> None:
    _same(SPINS, quadratic.read(coo.dumps(SPINS, vartype_header=True)))


def test_coordinates_may_have_comments_and_exponents_and_add_up() -> None:
    text = "\n# a comment\n# vartype=BINARY\n0 0 1e-1\n1 0 2\n0 1 -0.5\n\n"
    model = quadratic.read(text)
    assert model.labels == (0, 1)
    assert (model.quadratic.linear, model.quadratic.biases) == ((0.1, 0.0), (1.5,))


def _refused(request: api.JobRequest) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        compile_job(request)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"use_bytes": True}, "use_bytes"),
        ({"type": "ConstrainedQuadraticModel"}, "type"),
        ({"variable_type": "INTEGER"}, "variable_type"),
        ({"linear_biases": [1.0, "two", 3.0]}, "linear_biases[1]"),
        ({"variable_labels": ["a", "b"]}, "variable_labels"),
        ({"variable_labels": ["a", "b", "a"]}, "variable_labels"),
        ({"variable_labels": ["a", "b", None]}, "variable_labels[2]"),
        ({"quadratic_head": [0]}, "quadratic_head"),
        ({"quadratic_tail": [1, 9]}, "quadratic_tail[1]"),
        ({"quadratic_head": [0, -1]}, "quadratic_head[1]"),
        ({"quadratic_head": [0, 1], "quadratic_tail": [1, 1]}, "quadratic_tail[1]"),
        ({"quadratic_biases": [1.0, float("inf")]}, ""),
        ({"offset": 1e300}, ""),
    ],
)
def test_a_malformed_model_is_refused_with_its_field(changed: dict[str, Any], field: str) -> None:
    fields = cases.serialized(SPINS) | changed
    error = _refused(_asked(model=fields))
    assert error.field == (f"work.model.{field}" if field else "work.model")


def test_a_model_that_lacks_a_field_is_refused() -> None:
    fields = cases.serialized(SPINS)
    del fields["linear_biases"]
    assert "linear_biases" in _refused(_asked(model=fields)).message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not say what its variables are"),
        ("0 1 1.0", "does not say"),
        ("# vartype=SPIN", "has no variables"),
        ("# vartype=INTEGER\n0 0 1", "'INTEGER' in line 1"),
        ("# vartype=SPIN\n# vartype=BINARY\n0 0 1", "'BINARY' in line 2"),
        ("# vartype=SPIN\n0 1", "'0 1' in line 2"),
        ("# vartype=SPIN\n0 1 x", "'0 1 x' in line 2"),
        ("# vartype=SPIN\n0 -1 2.0", "variable -1 in line 2"),
        ("# vartype=SPIN\n0 0 nan", "the bias nan"),
    ],
)
def test_malformed_coordinates_are_refused_with_their_line(text: str, told: str) -> None:
    error = _refused(_asked(model=text))
    assert error.field == "work.model"
    assert told in error.message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reads": 0}, "reads"),
        ({"reads": 2_000_000}, "reads"),
        ({"sweeps": 0}, "sweeps"),
        ({"keep": 0}, "keep"),
        ({"beta_range": (0.0, 1.0)}, "beta_range"),
        ({"beta_range": (2.0, 1.0)}, "beta_range"),
        ({"beta_range": (1.0, float("nan"))}, "beta_range"),
        ({"beta": 1.0}, "beta"),
        ({"transverse_field": 1.0}, "transverse_field"),
        ({"method": "tabu", "beta_range": (0.1, 1.0)}, "beta_range"),
        ({"method": "path-integral", "beta_range": (0.1, 1.0)}, "beta_range"),
        ({"method": "path-integral", "beta": 0.0}, "beta"),
        ({"method": "path-integral", "beta": 1e4}, "beta"),
        ({"method": "path-integral", "transverse_field": -1.0}, "transverse_field"),
    ],
)
def test_a_parameter_out_of_place_is_refused(fields: dict[str, Any], field: str) -> None:
    assert _refused(_asked(**fields)).field == f"work.{field}"


def test_what_is_too_large_is_refused_with_the_number_that_is_not() -> None:
    wide = "# vartype=SPIN\n" + "\n".join(f"{index} {index} 1" for index in range(5_000))
    assert "keep at most 400" in _refused(_asked(model=wide, keep=500)).hint
    assert _refused(_asked(model=wide, method="tabu")).field == "work.method"
    wider = "# vartype=SPIN\n" + "\n".join(f"{index} {index} 1" for index in range(100_001))
    assert _refused(_asked(model=wider, keep=1)).field == "work.model"
    assert (
        "at most 4975124"
        in _refused(_asked(model=cases.serialized(cases.model(200, "SPIN")), sweeps=10**7)).hint
    )
    long = _refused(_asked(model="# vartype=SPIN\n0 0 1", reads=10**6, sweeps=10**6))
    assert (long.field, long.message) == ("work.reads", "makes 1,000,000,000,000 sweeps in all")
    assert "at most 100,000,000,000" in long.hint
    crowd = _refused(_asked(model=wide, keep=1, reads=10**5, sweeps=10**7))
    assert "at most 100,000,000,000 for a model of 5000 biases" in crowd.hint
    dense = cases.serialized(cases.model(200, "SPIN"))
    assert "at most 49,751,243,781" in _refused(_asked(model=dense, reads=10**5, sweeps=10**6)).hint


def test_work_of_another_kind_or_none_is_refused() -> None:
    assert _refused(api.JobRequest(kind="anneal.sample")).field == "work"
    other = api.JobRequest(kind="anneal.sample", work=api.PhiRequest())
    assert _refused(other).field == "work.kind"
    with_program = api.JobRequest(kind="anneal.sample", work=api.AnnealRequest(model="x"), shots=5)
    assert _refused(with_program).field == "shots"


def _asked(**fields: Any) -> api.JobRequest:
    return cases.request(SPINS, **fields)


def test_the_schedule_is_chosen_from_the_biases() -> None:
    """A spin held by 2 flips against it every second time at β = ln 2 / 4; see the module's docstring."""
    ring = "# vartype=SPIN\n" + "\n".join(f"{spin} {(spin + 1) % 4} 1" for spin in range(4))
    work = api.AnnealRequest(model=ring)
    job = compile_job(api.JobRequest(kind="anneal.sample", work=work))
    base = codec.decode(job.problem, workload.AnnealSample)
    assert base.beta == pytest.approx((0.1732868, 2.9957323))
