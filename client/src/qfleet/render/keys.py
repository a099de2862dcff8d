"""Keys between devices as tables: numbers about keys, never a key."""

import datetime as dt
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from qfleet.render import network, terminal
from qfleet.render.cells import listing
from qfleet_wire.api import keys as api
from qfleet_wire.names import Millis

BASIS = (
    "The light is simulated, so these keys are as secret as the sealed path between the devices, "
    "and no more; all that follows the light is real."
)
_STYLES = {"key": "green", "up": "green", "aborted": "red", "alarmed": "red", "down": "yellow"}
_BARS = "▁▂▃▄▅▆▇█"
_SHORT = 8


def stores(views: Sequence[api.KeyLinkView]) -> Table:
    """What both ends of each link hold and have used, and how many keys each application made and fetched."""
    table = listing(
        (view.link for view in views), "link", "device", "its own half", "held", "used", "by whom", "told"
    )
    for view in views:
        for number, end in enumerate(view.ends):
            table.add_row(
                _plain(view.link if number == 0 else ""), _plain(end.device), _bits(end.ours_bits),
                _bits(end.all_bits), _bits(end.used_bits), _plain(_users(end)), _moment(end.told),
            )  # fmt: skip
    return table


def links(views: Sequence[api.KeyLinkView], sessions: Sequence[api.KeySessionView]) -> Table:
    """State and rate of each link, and the error rates of its latest sessions from left to right."""
    table = listing(
        (view.link for view in views), "link", "protocol", "state", "expected", "QBER over time", "reason"
    )
    for view in views:
        history = [one for one in reversed(sessions) if one.link == view.link and one.status != "ordered"]
        table.add_row(
            _plain(view.link), _plain(view.protocol), _state(view.state),
            f"{_bits(view.expected_bits_per_s)}/s", _plain(rates(history)), _plain(view.reason),
        )  # fmt: skip
    return table


def course(link: str, sessions: Sequence[api.KeySessionView]) -> list[tuple[Millis, float]]:
    """When each session of a link ended, and with which error rate; the oldest first."""
    return [
        (one.ended, one.error_rate)
        for one in reversed(sessions)
        if one.link == link and one.ended and one.sifted
    ]


def rates(history: Sequence[api.KeySessionView], *, width: int = 24) -> str:
    """Error rates as a row of bars between 0 and 25 %, with the latest one in words; empty without any."""
    found = [one.error_rate for one in history if one.sifted][-width:]
    if not found:
        return ""
    bars = "".join(_BARS[min(int(rate / 0.25 * len(_BARS)), len(_BARS) - 1)] for rate in found)
    return f"{bars} {100 * found[-1]:.2f} %"


def sessions(views: Sequence[api.KeySessionView]) -> Table:
    """One line per session."""
    table = listing(
        (view.session for view in views),
        "session", "link", "status", "key", "sifted", "QBER", "told", "took", "why",
    )  # fmt: skip
    for view in views:
        took = "" if view.ended is None else f"{(view.ended - view.created) / 1000:.1f} s"
        table.add_row(
            _plain(view.session[:_SHORT]), _plain(view.link), _state(view.status), _bits(view.bits),
            _bits(view.sifted), f"{100 * view.error_rate:.2f} %" if view.sifted else "",
            _bits(view.leak_bits), took, _plain(view.seen or view.reason),
        )  # fmt: skip
    return table


def relays(views: Sequence[api.KeyRelayView]) -> Table:
    """One line per relay, with the nodes that had to be trusted."""
    table = listing((view.relay for view in views), "relay", "route", "trusted", "status", "key", "why")
    for view in views:
        table.add_row(
            _plain(view.relay[:_SHORT]), _plain(" - ".join(view.route)), _plain(", ".join(view.trusted)),
            _state(view.status), _bits(view.bits), _plain(view.reason),
        )  # fmt: skip
    return table


def alarms(views: Sequence[api.KeyAlarmView]) -> Table:
    """One line per alarm, those that stand in red."""
    table = listing((view.link for view in views), "when", "link", "seen", "done", "cleared")
    for view in views:
        style = "" if view.cleared else "red"
        table.add_row(
            _moment(view.at), _plain(view.link), Text(terminal.printable(view.seen), style=style),
            _plain(view.action), _moment(view.cleared),
        )  # fmt: skip
    return table


def _users(end: api.KeyEndView) -> str:
    """Who has taken keys at an end: made for others, and fetched of theirs."""
    return ", ".join(f"{use.application} {use.issued_keys}+{use.fetched_keys}" for use in end.uses)


def _bits(number: float) -> str:
    return network.bits(number) if number else "0"


def _state(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def _moment(at: Millis | None) -> Text:
    if at is None:
        return Text("")
    return Text(f"{dt.datetime.fromtimestamp(at / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}")


def _plain(text: str) -> Text:
    return Text(terminal.printable(text))
