"""What a study ends in: the quantum answer beside the classical one, and all that it takes to judge them.

A report is data alone. ``markdown`` and ``html`` draw it, and its JSON holds every number that they show.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_applications.frame.durations import duration

Winner: TypeAlias = Literal["quantum", "classical", "neither"]
Cell: TypeAlias = str | int | float | None
Style: TypeAlias = Literal["line", "points", "bars", "steps"]

_ROUNDING = 1e-9


class Measured(msgspec.Struct, frozen=True):
    """What one method found: ``value`` within ``low`` … ``high``, in ``seconds`` of wall clock.

    ``low`` and ``high`` are ``value`` where a method is exact.
    """

    method: str
    value: float
    low: float
    high: float
    seconds: float
    note: str = ""

    @property
    def exact(self) -> bool:
        """Whether there is no uncertainty in it."""
        return self.low == self.high

    def spelled(self, unit: str = "") -> str:
        """The value with its interval and unit."""
        interval = "" if self.exact else f" ({self.low:.5g} to {self.high:.5g})"
        return f"{self.value:.6g}{interval}{f' {unit}' if unit else ''}"


class Comparison(msgspec.Struct, frozen=True):
    """Both answers to one question; ``goal`` says which values of ``quantity`` are better.

    ``quantum`` is what ran on the fleet: simulated quantum states, or a classical sampler in the place of a
    quantum annealer, which its method names. Its seconds say nothing about quantum hardware. ``interval``
    says what ``low`` and ``high`` mean, ``where`` where it ran if not on the fleet.
    """

    problem: str
    quantity: str
    unit: str
    goal: Literal["higher", "lower"]
    quantum: Measured
    classical: Measured
    interval: str = "95 % interval"
    where: str = "on the fleet"

    @property
    def advantage(self) -> float:
        """How much better the quantum value is, in the unit; negative when it is worse."""
        difference = self.quantum.value - self.classical.value
        return difference if self.goal == "higher" else -difference

    @property
    def winner(self) -> Winner:
        """Who did better; neither where the values are equal or their intervals meet."""
        scale = max(abs(self.quantum.value), abs(self.classical.value), 1.0)
        meet = self.quantum.low <= self.classical.high and self.classical.low <= self.quantum.high
        if meet or abs(self.advantage) <= _ROUNDING * scale:
            return "neither"
        return "quantum" if self.advantage > 0 else "classical"

    @property
    def sentence(self) -> str:
        """Who did better, by how much and how long both took, for people."""
        found = (
            f"{self.quantum.method} found {self.quantum.spelled(self.unit)} in "
            f"{duration(self.quantum.seconds)} {self.where}; {self.classical.method} found "
            f"{self.classical.spelled(self.unit)} in {duration(self.classical.seconds)}"
        )
        if self.winner == "neither":
            return f"{self.problem}: no difference in {self.quantity} that counts ({found})."
        by = f"{abs(self.advantage):.4g}{f' {self.unit}' if self.unit else ''}"
        better = self.quantum if self.winner == "quantum" else self.classical
        return f"{self.problem}: {better.method} did better in {self.quantity} by {by} ({found})."


class Table(msgspec.Struct, frozen=True):
    """Rows below named columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        """Refuse rows of another length than the columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.title!r}: {len(row)} cells below {len(self.columns)} columns")


class Series(msgspec.Struct, frozen=True):
    """Points of one kind in a figure; ``low`` and ``high`` are their intervals, where they have any."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    style: Style = "line"

    def __post_init__(self) -> None:
        """Refuse coordinates of different numbers."""
        if len(self.x) != len(self.y) or len(self.low) != len(self.high):
            raise ValueError(f"series {self.label!r}: x and y, and low and high, need equally many numbers")
        if self.low and len(self.low) != len(self.y):
            raise ValueError(f"series {self.label!r}: {len(self.low)} intervals for {len(self.y)} points")


class Figure(msgspec.Struct, frozen=True):
    """A plot as data. ``name`` is its file's; ``x_names`` stand at 0, 1, … where they are given."""

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_names: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a study. The first comparison is the main one.

    ``notes`` are what a reader must know to judge it, ``settings`` and ``versions`` what it takes to get it
    again, ``jobs`` the fleet's ids, ``seconds`` the wall clock of all.
    """

    pack: str
    command: str
    title: str
    comparisons: tuple[Comparison, ...]
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    settings: dict[str, str] = {}
    versions: dict[str, str] = {}
    jobs: tuple[str, ...] = ()
    seconds: float = 0.0
