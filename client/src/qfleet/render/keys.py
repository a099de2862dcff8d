"""Keys between devices as tables: numbers about keys, never a key."""

import datetime as dt
from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from qfleet.render import network, terminal
from qfleet.render.cells import listing
from qfleet_wire.api import keys as api
from qfleet_wire.names import Millis

SIMULATED = (
    "The light is simulated, so these keys are as secret as the sealed path between the devices, "
    "and no more; all that follows the light is real."
)
SOME_SIMULATED = (
    "Some of the light is simulated (--json says which): those keys are as secret as the sealed path between "
    "the devices, and no more."
)
UNKNOWN = (
    "Of some of the light no device has said yet whether it is simulated: take it for simulated until then."
)
_STYLES = {"key": "green", "up": "green", "aborted": "red", "alarmed": "red", "down": "yellow"}
_BARS = "▁▂▃▄▅▆▇█"
_SHORT = 8


def basis(views: Iterable[api.KeyLinkView | api.KeySessionView | api.KeyRelayView | api.KeyAlarmView]) -> str:
    """What is to be said of the light of what is shown, in one sentence; nothing where all of it is real."""
    told = {view.simulated for view in views}
    if told == {True}:
        return SIMULATED
    if True in told:
        return SOME_SIMULATED
    return UNKNOWN if None in told else ""


def stores(views: Sequence[api.KeyLinkView]) -> Table:
    """What both ends of each link hold and have used, and how many keys each application made and fetched."""
    table = listing(
        (view.link for view in views), "link", "device", "its own half", "held", "used", "by whom", "told"
    )
    for view in views:
        for number, end in enumerate(view.ends):
            table.add_row(
                plain(view.link if number == 0 else ""), plain(end.device), bits(end.ours_bits),
                bits(end.all_bits), bits(end.used_bits), plain(_users(end)), moment(end.told),
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
            plain(view.link), plain(view.protocol), state(view.state),
            f"{bits(view.expected_bits_per_s)}/s", plain(rates(history)), plain(view.reason),
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
            plain(view.session[:_SHORT]), plain(view.link), state(view.status), bits(view.bits),
            bits(view.sifted), f"{100 * view.error_rate:.2f} %" if view.sifted else "",
            bits(view.leak_bits), took, plain(view.seen or view.reason),
        )  # fmt: skip
    return table


def relays(views: Sequence[api.KeyRelayView]) -> Table:
    """One line per relay, with the nodes that had to be trusted."""
    table = listing((view.relay for view in views), "relay", "route", "trusted", "status", "key", "why")
    for view in views:
        table.add_row(
            plain(view.relay[:_SHORT]), plain(" - ".join(view.route)), plain(", ".join(view.trusted)),
            state(view.status), bits(view.bits), plain(view.reason),
        )  # fmt: skip
    return table


def alarms(views: Sequence[api.KeyAlarmView]) -> Table:
    """One line per alarm, those that stand in red."""
    table = listing((view.link for view in views), "when", "link", "seen", "done", "cleared")
    for view in views:
        style = "" if view.cleared else "red"
        table.add_row(
            moment(view.at), plain(view.link), Text(terminal.printable(view.seen), style=style),
            plain(view.action), moment(view.cleared),
        )  # fmt: skip
    return table


def _users(end: api.KeyEndView) -> str:
    """Who has taken keys at an end: made for others, and fetched of theirs."""
    return ", ".join(f"{use.application} {use.issued_keys}+{use.fetched_keys}" for use in end.uses)


def bits(number: float) -> str:
    """A number of bits with its unit."""
    return network.bits(number) if number else "0"


def state(word: str) -> Text:
    """How a link, a session or a relay stands, in its colour."""
    return Text(word, style=_STYLES.get(word, ""))


def moment(at: Millis | None) -> Text:
    """A point in time, UTC."""
    if at is None:
        return Text("")
    return Text(f"{dt.datetime.fromtimestamp(at / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}")


def plain(text: str) -> Text:
    """Text that holds no control character and no markup."""
    return Text(terminal.printable(text))
