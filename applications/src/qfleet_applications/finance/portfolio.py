"""``portfolio``: k of n assets by QAOA and annealing, beside the choice that CP-SAT and HiGHS prove best."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from qfleet import JobRequest
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import histories, portfolio_report, reading, references, selecting, selection
from qfleet_applications.finance.selecting import Choice
from qfleet_applications.finance.selection import Selection
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Report

Method: TypeAlias = Literal["both", "qaoa", "anneal"]


@dataclass(frozen=True)
class Ways:
    """By which methods: ``layers`` and ``shots`` of QAOA, ``reads`` and ``sweeps`` of annealing; the seed."""

    method: Method = "both"
    layers: int = 3
    shots: int = 1024
    reads: int = 100
    sweeps: int = 100
    seed: int = 0


@dataclass(frozen=True)
class PortfolioStudy:
    """A choice of assets."""

    selection: Selection
    ways: Ways
    source: dict[str, str]

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Portfolio of {self.selection.choose} of {self.selection.size} assets"

    @property
    def qubits(self) -> int:
        """A qubit for each asset; none where only annealing is asked for."""
        return 0 if self.ways.method == "anneal" else self.selection.size

    def requests(self) -> tuple[JobRequest, ...]:
        """All jobs, which do not depend on each other."""
        jobs = {"qaoa": self._qaoa(), "anneal": self._anneal()}
        return tuple(job for name, job in jobs.items() if self.ways.method in {"both", name})

    def conduct(self, desk: Runner) -> Report:
        """Choose by each method, and judge."""
        known = references.of(self.selection)
        found: dict[str, Choice] = {}
        if self.ways.method in {"both", "qaoa"}:
            found[f"QAOA, p = {self.ways.layers}"] = selecting.by_qaoa(desk, self.selection, self._qaoa())
        if self.ways.method in {"both", "anneal"}:
            found[portfolio_report.ANNEALING] = selecting.by_annealing(desk, self.selection, self._anneal())
        settings = self.source | {
            "choose": f"{self.selection.choose} of {self.selection.size}, in equal parts",
            "aversion": f"{self.selection.aversion:g}",
            "method": f"{self.ways.method}, {self.ways.shots} shots, "
            f"{self.ways.reads} reads of {self.ways.sweeps} sweeps",
            "seed": str(self.ways.seed),
            "qubits": str(self.qubits),
        }
        return portfolio_report.report(self.selection, self.title, found, known, settings)

    def _qaoa(self) -> JobRequest:
        return selecting.qaoa_request(
            self.selection, layers=self.ways.layers, shots=self.ways.shots, seed=self.ways.seed
        )

    def _anneal(self) -> JobRequest:
        return selecting.anneal_request(
            self.selection, reads=self.ways.reads, sweeps=self.ways.sweeps, seed=self.ways.seed
        )


def of_file(
    file: Path | None, ways: Ways, *, choose: int = 3, aversion: float = 2.0, per_year: float = 12.0
) -> PortfolioStudy:
    """The study of a file's prices; without a file of eight monthly series that come with ``arch``.

    Raises:
        InvalidData: the file holds no prices, or not of each asset on each date.
        InvalidProblem: so many assets cannot be chosen.
    """
    panel = histories.panel(file)
    if file is None and per_year != 12.0:
        raise InvalidProblem("the bundled returns are monthly: --per-year is 12")
    chosen = selection.of_returns(
        panel.assets, panel.returns, per_year=per_year, choose=choose, aversion=aversion
    )
    if file is None:
        source = {"file": "arch.data: sp500, nasdaq, wti, crude and frenchdata, months of 1999-02 to 2018-11"}
        source |= {f"sha256 of {name}": reading.digest(histories.stored(name)) for name in histories.PANEL}
    else:
        source = {"file": str(file), "sha256": reading.digest(file)}
    return PortfolioStudy(
        chosen, ways, source | {"returns": f"{len(panel.returns)} periods, {per_year:g} a year"}
    )
