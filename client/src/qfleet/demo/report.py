"""What the demo found: measured beside exact, a verdict for each line, who computed what."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from qfleet.demo.exercises import DEVIATIONS, Exercise, Line
from qfleet.demo.site import Site
from qfleet.render import histogram, results, terminal
from qfleet_wire import api


@dataclass(frozen=True, slots=True)
class Outcome:
    """An exercise, how its job ended, and the comparison of its result."""

    exercise: Exercise
    detail: api.JobDetail
    result: api.ResultView

    @property
    def lines(self) -> list[Line]:
        """Measured beside exact."""
        return self.exercise.compare(self.result)

    @property
    def agrees(self) -> bool:
        """Whether there are lines and all agree."""
        return bool(self.lines) and all(line.agrees for line in self.lines)


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes of one demo."""

    outcomes: Sequence[Outcome]
    seconds: float
    directory: Path

    @property
    def agrees(self) -> bool:
        """Whether everything agrees."""
        return all(outcome.agrees for outcome in self.outcomes)

    def show(self, kept: Site | None, *, json: bool) -> None:
        """Print it; ``kept`` is the site where it was left running."""
        if json:
            terminal.write_json(self._json(kept))
            return
        for outcome in self.outcomes:
            _show(outcome)
        console = terminal.output()
        console.print(f"\n{results.SIMULATED} Sealing, enrolment and scheduling were real.", soft_wrap=True)
        console.print(self._verdict())
        if kept is not None:
            _show_use(kept, self.directory)

    def _verdict(self) -> Text:
        lines = [line for outcome in self.outcomes for line in outcome.lines]
        wrong = sum(not line.agrees for line in lines)
        took = f" ({self.seconds:.1f} s in all)"
        if self.agrees:
            return Text(f"All {len(lines)} results agree with the exact values.{took}", style="bold green")
        return Text(
            f"{wrong} of {len(lines)} results do NOT agree with the exact values.{took}", style="bold red"
        )

    def _json(self, kept: Site | None) -> dict[str, object]:
        running = None if kept is None else {"url": kept.url, "token_file": str(kept.token_file)}
        return {
            "agrees": self.agrees,
            "seconds": round(self.seconds, 3),
            "directory": str(self.directory),
            "running": running,
            "exercises": [_exercise_json(outcome) for outcome in self.outcomes],
        }


def _exercise_json(outcome: Outcome) -> dict[str, object]:
    return {
        "title": outcome.exercise.title,
        "agrees": outcome.agrees,
        "job": outcome.detail.job,
        "sources": outcome.result.sources,
        "lines": [
            {
                "subject": line.subject,
                "measured": line.measured,
                "exact": line.exact,
                "standard_error": line.error,
                "tolerance": line.tolerance,
                "agrees": line.agrees,
            }
            for line in outcome.lines
        ],
    }


def _show(outcome: Outcome) -> None:
    console = terminal.output()
    console.print(Text(f"\n{outcome.exercise.title}", style="bold"))
    if isinstance(outcome.result, api.SampleResultView):
        for line in histogram.lines(outcome.result.items[0].counts, top=4, width=console.width):
            console.print(line)
    console.print(_table(outcome.lines))
    for source in results.sources(outcome.result.sources):
        console.print(source)


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for title in ("measured", "exact", "tolerance", ""):
        table.add_column(title, justify="right")
    for line in lines:
        verdict = Text("agrees", style="green") if line.agrees else Text("DIFFERS", style="bold red")
        table.add_row(line.subject, f"{line.measured:.6f}", f"{line.exact:.6f}", _tolerance(line), verdict)
    return table


def _tolerance(line: Line) -> str:
    # What the verdict goes by, with as many digits as the values: whoever checks a line gets the same.
    if line.error:
        return f"± {line.tolerance:.6f} ({DEVIATIONS:g} σ)"
    return f"rounding, {line.tolerance:.0e}" if line.tolerance else "none"


def _show_use(kept: Site, directory: Path) -> None:
    console = terminal.output()
    programs = Path(__file__).with_name("programs")
    for line in (
        "\nEverything is still running. To use it:",
        f"  export QFLEET_URL={kept.url}",
        f"  export QFLEET_TOKEN_FILE={kept.token_file}",
        "  qfleet device list",
        f"  qfleet run {programs / 'ghz.qasm'} --shots 4096 --watch",
        "  qfleet job list",
        "To stop it:",
        f"  qfleet demo --stop --directory {directory}",
    ):
        console.print(line, soft_wrap=True)
