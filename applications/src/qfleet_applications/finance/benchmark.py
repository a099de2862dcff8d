"""The pack's rows of the table "quantum against classical"."""

from qfleet_applications.finance import portfolio, pricing, risk
from qfleet_applications.finance.assessment import Terms
from qfleet_applications.finance.pricing import OptionTerms
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison
from qfleet_applications.frame.study import Study


def rows(desk: Runner) -> list[Comparison]:
    """Every comparison of the bundled data."""
    studies: tuple[Study, ...] = (
        risk.of_book(None, Terms()),
        risk.of_history("sp500", Terms(unit="%")),
        pricing.of_file(None, OptionTerms()),
        portfolio.of_file(None, portfolio.Ways()),
    )
    return [one for study in studies for one in study.conduct(desk).comparisons]
