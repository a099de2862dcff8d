"""Contact windows: when a way is there that comes and goes by plan, as a satellite does.

By the device's clock, in UTC. A window is open from its first instant to before its last.
"""

import datetime as dt
from typing import Annotated, NamedTuple

import msgspec

from qfleet_wire.names import Millis
from qfleet_wire.payloads import Contacts
from qfleet_wire.ways import Window

Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Pass(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One window of a list."""

    opens: Moment
    closes: Moment


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Windows that recur (``first``, ``every_s``, ``open_s``), or a list of them (``passes``).

    With ``planned`` those of the control plane's contact plan go before them; where there are no others, the
    way is taken to be there always until a plan has come and after it has ended: how else could one come?
    """

    first: Moment | None = None
    """When a window opens, or opened once."""
    every_s: float | None = None
    """Time from one opening to the next."""
    open_s: float | None = None
    """How long a window is open."""
    passes: tuple[Pass, ...] = ()
    """Windows in order, apart from each other."""
    planned: bool = False

    def __post_init__(self) -> None:
        recurs = (self.first, self.every_s, self.open_s)
        if self.passes:
            if any(each is not None for each in recurs):
                raise ValueError(
                    "contact has passes, and first, every_s or open_s beside them: keep one kind"
                )
            self._check_passes()
        elif self.planned and recurs == (None, None, None):
            return
        elif None in recurs:
            raise ValueError("contact needs first, every_s and open_s together, or passes, or planned")
        elif not 0 < (self.open_s or 0) < (self.every_s or 0):
            raise ValueError(f"open_s = {self.open_s} must be above 0 and below every_s = {self.every_s}")

    def _check_passes(self) -> None:
        for each in self.passes:
            if each.closes <= each.opens:
                raise ValueError(f"a pass opens at {each.opens.isoformat()} and closes no later")
        for one, other in zip(self.passes, self.passes[1:], strict=False):
            if other.opens <= one.closes:
                raise ValueError(
                    f"the pass that opens at {other.opens.isoformat()} begins before the one before it has "
                    "closed: list passes in order, apart from each other"
                )


class Outlook(NamedTuple):
    """The window that is open, if one is, and when the next after this moment opens."""

    present: Window | None
    returns: Millis | None


def outlook(contact: Contact, utc_ms: int, plan: Contacts | None = None) -> Outlook | None:
    """Look at the windows at this moment; None: nothing says when it is there, so it is taken to be."""
    if follows(contact, utc_ms, plan):
        assert plan is not None
        left = [window for window in plan.windows if window.closes > utc_ms]
        left.append(Window(plan.until, plan.until))  # then the plan ends, and it is tried
    elif contact.passes:
        left = [window for each in contact.passes if (window := _window(each)).closes > utc_ms]
    elif contact.first is not None:
        left = _recurring(contact, utc_ms)
    else:
        return None
    if left and left[0].opens <= utc_ms:
        return Outlook(left[0], left[1].opens if len(left) > 1 else None)
    return Outlook(None, left[0].opens if left else None)


def follows(contact: Contact, utc_ms: int, plan: Contacts | None) -> bool:
    """Whether a plan says when it is there, and not the settings."""
    return contact.planned and plan is not None and utc_ms < plan.until


def _recurring(contact: Contact, utc_ms: int) -> list[Window]:
    """The window that is open or comes next, and the one after it."""
    assert contact.first is not None
    first, every, length = millis(contact.first), _ms(contact.every_s), _ms(contact.open_s)
    number = max(0, (utc_ms - first) // every)
    if first + number * every + length <= utc_ms:
        number += 1
    opens = [first + each * every for each in (number, number + 1)]
    return [Window(Millis(each), Millis(each + length)) for each in opens]


def _window(each: Pass) -> Window:
    return Window(millis(each.opens), millis(each.closes))


def _ms(seconds: float | None) -> int:
    return max(1, round((seconds or 0.0) * 1000))


def millis(moment: dt.datetime) -> Millis:
    """A moment as the wire counts it."""
    return Millis((moment - _EPOCH) // dt.timedelta(milliseconds=1))
