"""One key session or relay in full, as people read it: numbers about keys, never a key."""

from collections.abc import Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qfleet.render import terminal
from qfleet.render.cells import facts, listing
from qfleet.render.keys import bits, moment, plain, state
from qfleet_wire.api import keys as api
from qfleet_wire.names import Millis

_LIGHT: Final[Mapping[bool | None, str]] = {
    True: "simulated",
    False: "real, as the devices say",
    None: "no device has said yet",
}


def session(detail: api.KeySessionDetail) -> RenderableType:
    """Everything about one session, and what each end said of it."""
    view = detail.session
    table = facts()
    table.add_row("session", plain(view.session))
    table.add_row("link", plain(f"{view.link}: {view.a} sends to {view.b}"))
    table.add_row("protocol", plain(f"{view.protocol}, {detail.pulses:,} pulses"))
    table.add_row("light", plain(_LIGHT[view.simulated]))
    if detail.contact_s is not None:
        table.add_row("contact", plain(f"of {detail.contact_s:,.0f} s of the scenario"))
    if view.eavesdropper:
        table.add_row("eavesdropper", plain(f"{view.eavesdropper}, for an exercise"))
    _add_course(table, view, detail.who, detail.expires)
    return Group(table, Text(""), _ends(detail.ends)) if detail.ends else table


def relay(detail: api.KeyRelayDetail) -> RenderableType:
    """Everything about one relay: its route, the nodes that had to be trusted, how it ended."""
    view = detail.relay
    table = facts()
    table.add_row("relay", plain(view.relay))
    table.add_row("route", plain(" - ".join(view.route)))
    table.add_row("trusted", plain(", ".join(view.trusted)))
    table.add_row("links", plain(", ".join(detail.links)))
    table.add_row("light", plain(_LIGHT[view.simulated]))
    table.add_row("wanted", plain(f"{view.size:,} bytes"))
    if detail.replaces:
        table.add_row("in place of", plain(detail.replaces))
    _add_course(table, view, detail.who, detail.expires)
    for device, outcome in detail.ends.items():
        table.add_row(f"at {terminal.printable(device)}", state(outcome))
    return table


def _ends(ends: tuple[api.KeySessionEnd, ...]) -> Table:
    names = (end.device for end in ends)
    table = listing(names, "device", "role", "outcome", "key", "sifted", "QBER", "told", "why")
    for end in ends:
        table.add_row(
            plain(end.device), plain(end.role), state(end.outcome), bits(end.bits), bits(end.sifted),
            f"{100 * end.error_rate:.2f} %" if end.sifted else "", bits(end.leak_bits),
            plain(end.seen or end.reason),
        )  # fmt: skip
    return table


def _add_course(table: Table, view: api.KeySessionView | api.KeyRelayView, who: str, expires: Millis) -> None:
    """Who asked for it and when, how it stands, and how it ended."""
    table.add_row("asked for by", plain(who))
    table.add_row("ordered", moment(view.created))
    table.add_row("status", state(view.status))
    if view.ended is None:
        table.add_row("void after", moment(expires))
        return
    table.add_row("ended", moment(view.ended))
    table.add_row("key", plain(bits(view.bits)))
    seen = view.seen if isinstance(view, api.KeySessionView) else ""
    if seen or view.reason:
        table.add_row("why", plain(seen or view.reason))
