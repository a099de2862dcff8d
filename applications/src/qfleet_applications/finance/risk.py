"""``risk``: expected loss, value at risk and the mean beyond it, of a credit book or of past returns."""

from pathlib import Path

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import exposures, histories, reading, risk_report
from qfleet_applications.finance.assessment import Assessment, Terms
from qfleet_applications.finance.credit import Book
from qfleet_applications.finance.histories import Past
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Report


class RiskStudy(Assessment):
    """The risk of a credit book, or of one asset by its past."""

    def conduct(self, desk: Runner) -> Report:
        """Estimate, compute exactly, draw as precisely, and judge."""
        return risk_report.report(self, self.found(desk))


def of_book(file: Path | None, terms: Terms, *, factor_qubits: int = 2, reach: float = 2.0) -> RiskStudy:
    """The study of a credit book, the bundled one if no file is given.

    Raises:
        InvalidData: the file is no credit book.
        InvalidProblem: the book is too large, or the factor has too many qubits.
    """
    read = file or reading.BOOK
    book = Book(reading.loans(read, terms.unit), factor_qubits, reach)
    source = {
        "file": str(file) if file else "bundled credit_book.csv, of a tutorial of Qiskit Finance",
        "sha256": reading.digest(read),
        "factor": f"{factor_qubits} qubits within ±{reach:g} standard deviations",
    }
    return RiskStudy(exposures.of_book(book), terms, source, book=book)


def of_history(source: str, terms: Terms, *, qubits: int = 5, days: int = 1, window: int = 250) -> RiskStudy:
    """The study of an asset's losses over some days, by its past; ``source`` is a bundled name or a file.

    Raises:
        InvalidData: the file is no price history.
        InvalidProblem: there is no such history, or it is too short.
    """
    if terms.unit != "%":
        raise InvalidProblem("losses by a price history are in %")
    history = histories.history(source)
    past = 100.0 * history.losses(days)
    known = {
        "history": history.name,
        "source": f"arch.data.{history.name}" if source in histories.DAILY else str(history.file),
        "sha256": reading.digest(history.file),
        "losses": f"{len(past)}, each over {days} successive price{'s' if days > 1 else ''}",
    }
    known["backtest"] = f"each from {window} losses before it"
    return RiskStudy(exposures.of_past(past, qubits), terms, known, past=Past(past, days, window))
