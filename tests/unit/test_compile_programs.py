"""Whole programs: their exact outcome probabilities by an independent interpreter."""

import pytest
from tests.unit import compile_corpus
from tests.unit.compile_interpreter import distribution

from qfleet_controlplane.compile.program import compile_program
from qfleet_wire import circuit, circuit_facts

HEAD = 'OPENQASM 3.1; include "stdgates.inc"; '


def outcomes(text: str, **inputs: float) -> dict[str, float]:
    head = "" if text.startswith("OPENQASM") else HEAD
    return distribution(compile_program(head + text, bindings=inputs))


CASES = compile_corpus.outcomes()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_outcomes_have_their_exact_probabilities(case: compile_corpus.Case) -> None:
    found = distribution(compile_program(case.program))
    expected = {outcome: float(probability) for outcome, probability in case.facts.items()}
    assert {key: value for key, value in found.items() if value > 1e-6} == pytest.approx(expected, abs=1e-6)


def test_what_is_known_at_compile_time_leaves_a_static_program() -> None:
    program = compile_program(
        HEAD + "def angle_of(int k) -> angle { return k * pi / 4; } qubit[3] q; bit[3] c; int n = 0;"
        "for int i in [0:2] { n = n + i; ry(angle_of(n)) q[i]; if (n > 2) { h q[0]; } } c = measure q;"
    )
    assert circuit_facts.is_static(program)
    assert [slot.name for slot in program.slots] == ["c"]


def test_what_is_assigned_before_anything_happens_is_an_initial_value() -> None:
    program = compile_program(HEAD + 'qubit q; bit[3] c; c = "100"; c[0] = 1; h q; c[1] = measure q;')
    assert circuit_facts.is_static(program)
    assert program.slots[0].initial == 0b101


def test_a_long_loop_is_kept_when_no_qubit_depends_on_it() -> None:
    program = compile_program(
        HEAD + "qubit q; bit c; for int i in [1:100000] { rx(i * 0.1) q; } c = measure q;"
    )
    loop = program.body[0]
    assert isinstance(loop, circuit.For)
    assert loop.stop == circuit.Constant(100000)


def test_a_kept_loop_that_assigns_its_variable_goes_on() -> None:
    text = (
        "qubit q; bit b; output uint[8] n; n = 0; b = measure q; uint[4] top = uint[4](b) + 3;"
        "for uint[8] i in [0:top] { n += i; i = 100; }"
    )
    assert outcomes(text) == {"00000110": 1.0}


def test_inputs_are_bound_or_swept() -> None:
    text = HEAD + "input float theta; input int[4] n; input bool flip; qubit[2] q; bit[2] c;"
    text += "for int i in [0:n - 1] { ry(theta) q[i]; } if (flip) x q[0]; c = measure q;"
    program = compile_program(text, bindings={"n": 2, "flip": 1}, swept=("theta",))
    assert program.parameters == ("theta",)
    assert circuit_facts.is_static(program)
    assert distribution(program, (0.0,)) == pytest.approx({"01": 1.0})
    assert distribution(program, (3.141592653589793,)) == pytest.approx({"10": 1.0})


def test_an_angle_without_a_size_is_not_reduced_before_a_controlled_rotation() -> None:
    text = HEAD + "input angle w; qubit[2] q; bit[2] c; h q[0]; crx(w) q[0], q[1]; h q[0]; c = measure q;"
    swept = distribution(compile_program(text, swept=("w",)), (-0.5,))
    literal = text.replace("input angle w;", "").replace("crx(w)", "crx(-0.5)")
    assert swept == pytest.approx(distribution(compile_program(literal)))


def test_dead_values_are_dropped_and_measurements_kept() -> None:
    program = compile_program(
        HEAD + "qubit q; output bit c; bit lost; int n; lost = measure q; n = 3; c = measure q;"
    )
    assert program.body == (circuit.Measure(0), circuit.Measure(0, 0, 0))


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("int[8] v = 200;", -56),
        ("uint[4] v = 20;", 4),
        ("uint[4] v; v = 3; v -= 5;", 14),
        ("int[4] v = 7; v += 1;", -8),
        ("int v = 7 / 2;", 3),
        ("int v = -7 / 2;", -3),
        ("int v = -7 % 3;", -1),
        ("int v = 2 ** 10;", 1024),
        ("float v = 7 / 2;", 3.0),
        ("float v = 7 / 2.0;", 3.5),
        ("int v = int[8](3.99);", 3),
        ("bool v = 3 > 2 && !false;", True),
        ("uint[6] b = 37; uint[6] v = rotl(b, 3);", 44),
        ("uint[6] b = 37; uint v = popcount(b);", 3),
        ('bit[8] v = "10001111"; v = v << 1;', 0b00011110),
        ('bit[8] v = "10001111"; v = rotl(v, 2);', 0b00111110),
        ('bit[8] v = "10001111"; v = ~v;', 0b01110000),
        ("angle[4] a = 7 * (pi / 8); angle[4] b = pi / 8; bit[4] v = bit[4](a + b);", 0b1000),
        ("angle[4] a = 7 * (pi / 8); angle[4] b = pi / 8; bit[4] v = bit[4](b - a);", 0b1010),
        ("angle[4] a = 7 * (pi / 8); uint[4] two = 2; bit[4] v = bit[4](a / two);", 0b0011),
        ("angle[4] c = 5 * (pi / 4); uint[4] two = 2; bit[4] v = bit[4](two * c);", 0b0100),
        ("angle[4] c = 5 * (pi / 4); angle[4] b = pi / 8; bool v = c / b == 10;", True),
        ("angle[4] a = 9 * (pi / 8); bit[4] v = bit[4](a << 2);", 0b0100),
        ("angle[4] a = 9 * (pi / 8); bit[4] v = bit[4](a >> 2);", 0b0010),
        ("angle[4] a = pi / 4; bit[4] v = bit[4](-a);", 0b1110),
        ("angle[32] d = pi; bool v = d == pi;", True),
        ("int[8] w = 15; bit[4] v = w[1:4];", 0b0111),
        ('int[8] v = 15; v[4:7] = "1010";', -81),
        ("int[8] v = 15; v[-1] = 1;", -113),
        ("int v = sizeof(q);", 2),
        ("float v = sqrt(4) + floor(1.5) + cos(0);", 4.0),
        ("int v = mod(7, 4) + 2 ** 3;", 11),
        ("bit[4] b = 5; bit[2] v = b[0:2:3];", 0b11),
    ],
)  # fmt: skip
@pytest.mark.parametrize("hidden", [False, True], ids=["folded", "at run time"])
def test_values_follow_the_specification(declaration: str, expected: object, *, hidden: bool) -> None:
    """Once folded, and once with the first value made unknown by a branch that may change it."""
    first, _, rest = declaration.partition(";")
    name = first.split("=")[0].split()[-1]
    hide = f"m = measure q[0]; if (m) {{ {name} = {name}; }}" if hidden else ""
    literal = str(expected).lower()
    text = HEAD + f"output bool ok; qubit[2] q; bit m; {first}; {hide} {rest} ok = v == {literal};"
    assert distribution(compile_program(text)) == {"1": 1.0}
