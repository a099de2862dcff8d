"""What people are told of a cut."""

from qfleet_controlplane.planning.cuts import expansion, forecast
from qfleet_controlplane.planning.cuts.cut import Cut
from qfleet_controlplane.planning.plan import PlanRefused, many


def refused(qubits: int, width: int, fault: tuple[int, float, str] | None) -> PlanRefused:
    """Say why no cut will do: what the best one has (parts, log2 of its paths) and what is wrong with it.

    Without any, gates that cannot be expanded tie too many qubits together.
    """
    whole = none_takes(qubits, width)
    if fault is None:
        return PlanRefused(
            f"{whole}, and gates that no cut goes through tie more than {width} of them together: those on "
            f"more than {expansion.MOST_QUBITS} qubits, and powers of controlled swaps",
            "write those gates as gates on two qubits, or enrol a device that can take more qubits",
        )
    parts, log2_paths, why = fault
    return PlanRefused(
        f"{whole}, and cut into {parts} parts it has {paths(log2_paths)}: {why}",
        "let fewer gates cross between the parts, ask for less, or enrol a device that takes more qubits",
    )


def none_takes(qubits: int, width: int) -> str:
    """Say that a program is wider than every device; ``width`` is the widest."""
    return f"no device of this fleet takes the program's {many(qubits, 'qubit')} as a whole (at most {width})"


def paths(log2: float) -> str:
    """Spell a number of paths: in full while that can be read."""
    exact = round(2.0**log2) if log2 < 20 else 0
    return many(exact, "path") if exact else f"2^{log2:.4g} paths"


def described(cut: Cut | None) -> str:
    """Say what a cut is: its parts, the gates that it goes through, and its paths."""
    assert cut is not None, "described when it is cut"
    widths = " + ".join(str(part.qubits) for part in cut.parts)
    head = f"Cut into {len(cut.parts)} parts of {widths} qubits"
    if not cut.terms:
        return f"{head}, which no gate joins"
    count = paths(forecast.log2_paths(cut))
    return f"{head} through {many(len(cut.terms), 'gate')}, {count}, put together exactly"
