"""How far a device is believed, and when it is taken for a liar.

What is believed is the mean of a Beta posterior: it starts from 1/2, and a contradiction weighs as much as
``WEIGHT`` confirmations. It is for people, and decides nothing.

A device is accused by a sequential test. Each judged task multiplies a bet against the device: by
``1 - STAKE`` when its result was right, by ``1 - STAKE + STAKE / rate`` when it was wrong, where an honest
device is wrong with a probability of at most ``rate``. So the expected factor of an honest device is at
most 1. Bets are opened at every task ``t``, with a part ``1 / (t (t + 1))`` of a stake of 1, so that a device
that was honest for long is found soon after it begins to lie; their sum, with what is not opened yet, is a
nonnegative supermartingale from 1. By Ville's inequality it ever reaches ``ACCUSED`` with a probability of
at most ``1 / ACCUSED``, however long the honest device serves (Shafer, Vovk: Game-Theoretic Foundations
for Probability and Finance, 2019, chapter 2).
"""

from typing import NamedTuple

ACCUSED = 1e8
"""The bet's value at which a device is accused: false for one in 1e8 honest devices over all their lives."""
STAKE = 0.05
"""Share of each bet that is put on the next result being wrong: near the rate of the lies to be found."""
EXACT_RATE = 1e-8
"""How often, at most, an honest device's result differs where equality is demanded: its memory failed."""
CHANCE_RATE = 1e-5
"""How often, at most, one differs beyond ``agreement.LEVEL``: ten times that, whose tails are estimates."""
WEIGHT = 10.0
"""Confirmations that weigh as much as a contradiction, for what is believed."""
DOUBT = 0.5
"""What a contradiction counts of which nobody knows whose fault it is."""


class Record(NamedTuple):
    """What is known of a device. ``suspicion`` is the value of all open bets after ``judged`` tasks."""

    confirmed: int = 0
    contradicted: float = 0.0
    judged: int = 0
    suspicion: float = 0.0

    @property
    def trust(self) -> float:
        """Mean of the Beta posterior, in (0, 1)."""
        return (1.0 + self.confirmed) / (2.0 + self.confirmed + WEIGHT * self.contradicted)

    @property
    def accused(self) -> bool:
        """Whether the device is to be taken for a liar."""
        return self.suspicion >= ACCUSED


UNKNOWN = Record()
"""Of a device that nothing is known of."""


def right(record: Record) -> Record:
    """The device's result of a judged task was right."""
    return _bet(record, 1.0 - STAKE)._replace(confirmed=record.confirmed + 1)


def wrong(record: Record, *, exact: bool) -> Record:
    """The device's result of a judged task was wrong; ``exact``: equality was demanded of it."""
    rate = EXACT_RATE if exact else CHANCE_RATE
    return _bet(record, 1.0 - STAKE + STAKE / rate)._replace(contradicted=record.contradicted + 1.0)


def confirmed(record: Record) -> Record:
    """Another device happened to say the same."""
    return record._replace(confirmed=record.confirmed + 1)


def doubted(record: Record) -> Record:
    """Another device happened to say something else; one of the two is wrong."""
    return record._replace(contradicted=record.contradicted + DOUBT)


def _bet(record: Record, factor: float) -> Record:
    task = record.judged + 1
    opened = record.suspicion + 1.0 / (task * (task + 1))
    # Beyond what a double can hold nothing is decided any more.
    return record._replace(judged=task, suspicion=min(opened * factor, 1e300))
