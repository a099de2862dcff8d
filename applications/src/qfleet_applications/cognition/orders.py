"""Answers to two yes-or-no questions asked in both orders, and what they say before any model.

A table of an order has the counts (first yes and second yes, yes and no, no and yes, no and no), where
*first* is the question asked first in that order.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from qfleet_applications.cognition.scores import pooled_z, wilson
from qfleet_applications.errors import InvalidData
from qfleet_applications.frame.columns import Column, read

Counts: TypeAlias = tuple[int, int, int, int]
"""Yes-yes, yes-no, no-yes and no-no, the question asked first going first."""

_MOST = 1e9
"""More people than that were not asked."""
_CELLS = ("yy", "yn", "ny", "nn")
COLUMNS = (
    Column("survey", kind="text"),
    Column("first", kind="text"),
    Column("second", kind="text"),
    *(
        Column(f"{order}_{cell}", kind="integer", low=0, high=_MOST)
        for order in ("ab", "ba")
        for cell in _CELLS
    ),
)


class Marginals(NamedTuple):
    """Shares of yes to each question, asked first and asked second."""

    a_first: float
    a_second: float
    b_first: float
    b_second: float


@dataclass(frozen=True, slots=True)
class Survey:
    """One pair of questions: ``ab`` of people asked A first, ``ba`` of those asked B first."""

    name: str
    first: str
    second: str
    ab: Counts
    ba: Counts

    @property
    def people(self) -> int:
        """How many answered, in both orders."""
        return sum(self.ab) + sum(self.ba)

    @property
    def marginals(self) -> Marginals:
        """Shares of yes by question and place."""
        ab, ba = sum(self.ab), sum(self.ba)
        return Marginals(
            a_first=(self.ab[0] + self.ab[1]) / ab,
            a_second=(self.ba[0] + self.ba[2]) / ba,
            b_first=(self.ba[0] + self.ba[1]) / ba,
            b_second=(self.ab[0] + self.ab[2]) / ab,
        )


class QQ(NamedTuple):
    """The QQ equality: ``q`` is 0 in the quantum question model, ``z`` its pooled score, ``p`` two-sided.

    ``low`` and ``high`` are the 95 % interval of q.
    """

    q: float
    z: float
    p: float
    low: float
    high: float


def qq(survey: Survey) -> QQ:
    """Test the QQ equality of Wang and Busemeyer, Topics in Cognitive Science 5, 689 (2013).

    q = [p(AyBn) + p(AnBy)] − [p(ByAn) + p(BnAy)]; z is that of two proportions with a pooled variance. The
    interval is Newcombe's, Statistics in Medicine 17, 873 (1998), method 10, fit for small counts too.
    """
    changed, sizes = _changed(survey), (sum(survey.ab), sum(survey.ba))
    q = changed[0] / sizes[0] - changed[1] / sizes[1]
    z = pooled_z(changed, sizes)
    one, two = (wilson(yes, of) for yes, of in zip(changed, sizes, strict=True))
    shares = [yes / of for yes, of in zip(changed, sizes, strict=True)]
    below = math.hypot(shares[0] - one[0], two[1] - shares[1])
    above = math.hypot(one[1] - shares[0], shares[1] - two[0])
    return QQ(q, z, math.erfc(abs(z) / math.sqrt(2)), q - below, q + above)


def similarity(survey: Survey) -> float:
    """How alike the two "yes" are: cos of the angle between P_A ψ and P_B ψ, mean of what the orders say.

    Re⟨ψ|P_A P_B|ψ⟩ = p(AyBy) + [p(By) − p(AyBy) − p(AnBy)]/2 by the order AB, likewise by BA, over
    √(p(Ay) p(By)) of the questions asked first (Wang and Busemeyer 2013). 1 where they are the same question.
    """
    shares = survey.marginals
    by_ab = survey.ab[0] / sum(survey.ab) + (shares.b_first - shares.b_second) / 2
    by_ba = survey.ba[0] / sum(survey.ba) + (shares.a_first - shares.a_second) / 2
    return (by_ab + by_ba) / 2 / math.sqrt(shares.a_first * shares.b_first)


def load(file: Path) -> tuple[Survey, ...]:
    """Read surveys from a CSV file with the columns ``COLUMNS``.

    Raises:
        InvalidData: it is not one, or nobody was asked in one of the orders, or nobody said yes at first, or
            two surveys have one name.
    """
    frame = read(file, COLUMNS)
    cells = {name: frame.numbers(name) for name in (column.name for column in COLUMNS[3:])}
    found: list[Survey] = []
    names: set[str] = set()
    for row in range(frame.rows):
        ab, ba = (tuple(int(cells[f"{order}_{cell}"][row]) for cell in _CELLS) for order in ("ab", "ba"))
        for counts, order in ((ab, "ab"), (ba, "ba")):
            if counts[0] + counts[1] == 0 or sum(counts) == 0:
                raise InvalidData(
                    file,
                    f"nobody said yes to the question asked first in the order {order!r}",
                    line=frame.lines[row],
                    hint="without that, the two questions cannot be compared",
                )
        survey, first, second = (frame.texts(name)[row] for name in ("survey", "first", "second"))
        if survey in names:
            told = f"a survey {survey!r} stands there before"
            raise InvalidData(
                file, told, line=frame.lines[row], column="survey", hint="give each its own name"
            )
        names.add(survey)
        found.append(Survey(survey, first, second, ab, ba))  # type: ignore[arg-type] # four cells each
    return tuple(found)


def _changed(survey: Survey) -> tuple[int, int]:
    return survey.ab[1] + survey.ab[2], survey.ba[1] + survey.ba[2]
