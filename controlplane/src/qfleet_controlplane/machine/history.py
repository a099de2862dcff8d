"""What happened to a task's attempts, in words: all of it while it is little, bounded when it is much.

The first errors say what is wrong and the last ones how it ended; what lies between is counted, never
dropped without a word.
"""

import re

MOST = 20
"""Errors kept of a task, and of a job."""
LONGEST = 1_000
"""Characters of one error."""

_FIRST = 10
_LEFT_OUT = re.compile(r"\(([0-9]+) more errors left out here\)")


def add(errors: tuple[str, ...], error: str) -> tuple[str, ...]:
    """Append an error; one that is there already says nothing new."""
    told = shortened(error)
    if told in errors:
        return errors
    if len(errors) < MOST:
        return (*errors, told)
    found = _LEFT_OUT.fullmatch(errors[_FIRST])
    tail = errors[_FIRST + 1 :]
    # The marker itself takes the place of one error, and the new one that of another.
    left_out = int(found[1]) + 1 if found is not None else 2
    return (*errors[:_FIRST], _marker(left_out), *tail[1:], told)


def shortened(error: str) -> str:
    """Cut a very long error and say how much is missing."""
    if len(error) <= LONGEST:
        return error
    kept = LONGEST - 50
    return f"{error[:kept]} … ({len(error) - kept:,} more characters)"


def _marker(count: int) -> str:
    return f"({count} more errors left out here)"
