"""A credit book of your own: what may be lost, and who finds out with less."""

from qfleet import Fleet
from qfleet_applications.finance.assessment import Terms
from qfleet_applications.finance.credit import Book, Loan
from qfleet_applications.finance.exposures import of_book
from qfleet_applications.finance.risk import RiskStudy
from qfleet_applications.frame.carrying import conduct
from qfleet_applications.frame.desk import Desk

book = Book(
    loans=(
        Loan("mill", probability=0.02, sensitivity=0.15, loss=3),
        Loan("bakery", probability=0.05, sensitivity=0.10, loss=1),
        Loan("shop", probability=0.08, sensitivity=0.20, loss=2),
    ),
    factor_qubits=3,
    reach=3.0,
)
study = RiskStudy(of_book(book), Terms(level=0.99, epsilon=0.002, seed=7), {"book": "this file"}, book=book)
with Fleet.from_configuration() as fleet:
    report = conduct(study, Desk(fleet))
for comparison in report.comparisons:
    print(comparison.sentence)
for name, *numbers in report.tables[0].rows:
    print(name, *numbers)
