"""The finance problems of the literature."""

from qfleet_applications.finance.contracts import Asset, Contract
from qfleet_applications.finance.credit import Book, Loan

BOOK = Book((Loan("A", 0.15, 0.10, 1), Loan("B", 0.25, 0.05, 2)))
"""The book of the credit risk tutorial of Qiskit Finance."""
CALL = Contract("call", "call", (Asset(2.0, 0.4),), strike=1.896, rate=0.05, days=40.0)
"""The call of the option pricing tutorial of Qiskit Finance."""
