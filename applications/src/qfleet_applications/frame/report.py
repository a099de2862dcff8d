"""What a study ends in: the fleet's answer beside the classical one, and all that it takes to judge them.

A report is data alone. ``markdown`` and ``html`` draw it, and its JSON holds every number that they show.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from qfleet_applications.frame.durations import duration

Winner: TypeAlias = Literal["fleet", "classical", "neither"]
Kind: TypeAlias = Literal["quantum, simulated", "classical"]
QUANTUM: Final = "quantum, simulated"
Cell: TypeAlias = str | int | float | None
Style: TypeAlias = Literal["line", "points", "bars", "steps"]

_ROUNDING = 1e-9


class Measured(msgspec.Struct, frozen=True):
    """What one method found: ``value`` within ``low`` … ``high``, in ``seconds`` of wall clock.

    ``low`` and ``high`` are ``value`` where a method is exact. Annealing and tabu search are classical, on
    the fleet too.
    """

    method: str
    value: float
    low: float
    high: float
    seconds: float
    note: str = ""
    kind: Kind = "classical"

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

    ``fleet`` is what ran on the devices: simulated quantum states, or a classical sampler in the place of a
    quantum annealer; its ``kind`` says which. Its seconds say nothing about quantum hardware. ``classical``
    is the best classical method, off the fleet. ``interval`` says what ``low`` and ``high`` mean, ``where``
    where it ran if not on the fleet.
    """

    problem: str
    quantity: str
    unit: str
    goal: Literal["higher", "lower"]
    fleet: Measured
    classical: Measured
    interval: str = "95 % interval"
    where: str = "on the fleet"

    @property
    def advantage(self) -> float:
        """How much better the fleet's value is, in the unit; negative when it is worse."""
        difference = self.fleet.value - self.classical.value
        return difference if self.goal == "higher" else -difference

    @property
    def winner(self) -> Winner:
        """Who did better; neither where the values are equal or their intervals meet."""
        scale = max(abs(self.fleet.value), abs(self.classical.value), 1.0)
        meet = self.fleet.low <= self.classical.high and self.classical.low <= self.fleet.high
        if meet or abs(self.advantage) <= _ROUNDING * scale:
            return "neither"
        return "fleet" if self.advantage > 0 else "classical"

    @property
    def better(self) -> Measured | None:
        """What did better; None where neither did."""
        return {"fleet": self.fleet, "classical": self.classical, "neither": None}[self.winner]

    @property
    def sentence(self) -> str:
        """Who did better, by how much and how long both took, for people."""
        found = (
            f"{self.fleet.method} found {self.fleet.spelled(self.unit)} in "
            f"{duration(self.fleet.seconds)} {self.where}; {self.classical.method} found "
            f"{self.classical.spelled(self.unit)} in {duration(self.classical.seconds)}"
        )
        if self.winner == "neither":
            return f"{self.problem}: no difference in {self.quantity} that counts ({found})."
        by = f"{abs(self.advantage):.4g}{f' {self.unit}' if self.unit else ''}"
        assert self.better is not None
        return f"{self.problem}: {self.better.method} did better in {self.quantity} by {by} ({found})."


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
