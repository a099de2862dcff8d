"""The quantum network as tables."""

import datetime as dt
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qfleet.render import terminal
from qfleet.render.cells import listing
from qfleet_wire.api import network as api

BASIS = "All of it is simulated; docs/quantum-network.md names the models."
_MOST_STORES = 12
_MOST_ALARMS = 8
_STYLES = {"qber": "red", "empty": "yellow", "missed": "yellow"}


def shipped(views: Sequence[api.ShippedScenario]) -> Table:
    """One line per scenario that ships."""
    table = listing((view.name for view in views), "scenario", "what it is")
    for view in views:
        table.add_row(_plain(view.name), _plain(view.title))
    return table


def network(view: api.NetworkView) -> RenderableType:
    """The scenario in words, its sites and its fibres."""
    words = (
        f"{view.name}: {view.title}\n"
        f"from {_instant(view.epoch, 0.0)} UTC for {_span(view.duration_s)}; "
        f"{len(view.satellites)} satellites, {len(view.sites)} sites, {len(view.fibres)} fibres, "
        f"{view.demands} demands\n"
        f"{view.passes:,} passes, {view.contacts:,} contacts, {bits(view.expected_bits)} of key expected"
    )
    sites = listing((site.name for site in view.sites), "site", "kind", "latitude", "longitude", "altitude")
    for site in view.sites:
        sites.add_row(
            _plain(site.name), _plain(site.kind),
            f"{site.latitude_deg:.4f}°", f"{site.longitude_deg:.4f}°", f"{site.altitude_m:.0f} m",
        )  # fmt: skip
    parts: list[RenderableType] = [_plain(words), sites]
    if view.fibres:
        parts.append(_fibres(view))
    if view.devices:
        parts.append(_seats(view))
    return Group(*parts)


def _seats(view: api.NetworkView) -> Table:
    table = listing((one.node for one in view.devices), "node", "device", "")
    for one in view.devices:
        state = _plain("") if one.enrolled else Text("not enrolled yet", style="yellow")
        table.add_row(_plain(one.node), _plain(one.device), state)
    return table


def _fibres(view: api.NetworkView) -> Table:
    table = listing(
        (f"{one.a} - {one.b}" for one in view.fibres), "fibre", "length", "loss", "QBER", "secret key", "PLOB"
    )
    for one in view.fibres:
        table.add_row(
            _plain(f"{one.a} - {one.b}"), f"{one.length_km:.1f} km", f"{one.loss_db:.1f} dB",
            f"{100 * one.qber:.2f} %", f"{bits(one.secret_bps)}/s", f"{bits(one.plob_bps)}/s",
        )  # fmt: skip
    return table


def passes(view: api.PassesView) -> Table:
    """One line per pass."""
    names = (one.satellite for one in view.passes)
    table = listing(
        names, "satellite", "site", "rise", "culmination", "set", "elevation", "range", "sky", "key"
    )
    for one in view.passes:
        table.add_row(
            _plain(one.satellite),
            _plain(one.site),
            _instant(view.epoch, one.rise_s),
            _instant(view.epoch, one.culmination_s)[-8:],
            _instant(view.epoch, one.set_s)[-8:],
            f"{one.elevation_deg:.2f}°",
            f"{one.range_km:.1f} km",
            ("night" if one.night else "day") + (", sunlit" if one.sunlit else ", eclipsed"),
            bits(one.bits),
        )
    return table


def contacts(view: api.ContactsView) -> Table:
    """One line per contact."""
    names = (f"{one.a} - {one.b}" for one in view.contacts)
    table = listing(names, "contact", "number", "kind", "start", "end", "clouds", "QBER", "expected")
    for one in view.contacts:
        kind = one.kind if one.origin == "computed" else f"{one.kind}, {one.origin}"
        table.add_row(
            _plain(f"{one.a} - {one.b}"), str(one.number), kind, _instant(view.epoch, one.start_s),
            _instant(view.epoch, one.end_s)[-8:], f"{100 * one.cover:.0f} %", f"{100 * one.qber:.2f} %",
            bits(one.expected_bits),
        )  # fmt: skip
    return table


def routes(view: api.RoutesView) -> Table:
    """One line per way, the best first."""
    table = listing(("" for _ in view.routes), "way", "arrives", "fits", "over")
    for number, one in enumerate(view.routes, 1):
        over = [one.hops[0].sender] + [f"{hop.receiver} ({hop.kind} {hop.contact})" for hop in one.hops]
        table.add_row(
            str(number), _instant(view.epoch, one.arrival_s), bits(one.bits), _plain(" → ".join(over))
        )
    return table


def entanglement(view: api.EntanglementView) -> Table:
    """One line per way of swaps, the fastest first."""
    table = listing(("" for _ in view.paths), "way", "pairs", "fidelity", "purified", "over")
    for number, one in enumerate(view.paths, 1):
        rounds = f"links {'/'.join(str(each) for each in one.link_rounds)}, ends {one.final_rounds}"
        table.add_row(
            str(number), f"{one.rate_hz:.4g}/s", f"{one.fidelity:.4f}", rounds, _plain(" → ".join(one.nodes))
        )
    return table


def plan(view: api.KeyPlanView) -> Table:
    """One line per demand."""
    names = (f"{one.a} - {one.b}" for one in view.demands)
    table = listing(names, "demand", "asked", "booked", "routes", "last key", "what is missing")
    for one in view.demands:
        last = "" if one.last_arrival_s is None else _instant(view.epoch, one.last_arrival_s)
        share = one.booked_bits / one.asked_bits if one.asked_bits else 1.0
        booked = f"{bits(one.booked_bits)} ({100 * share:.0f} %)"
        name = _plain(f"{one.a} - {one.b}")
        table.add_row(name, bits(one.asked_bits), booked, str(one.routes), last, _plain(one.reason))
    return table


def twin(view: api.TwinView) -> RenderableType:
    """The twin: time, demands, the fullest stores, faults and the newest alarms."""
    words = (
        f"{view.name}, {view.status}: {_instant(view.epoch, view.at_s)} UTC, "
        f"{100 * view.at_s / view.duration_s:.1f} % of {_span(view.duration_s)}, {view.speed:g} × the clock; "
        f"{view.contacts_running} contacts under way, {view.alarms_raised} alarms so far"
    )
    parts: list[RenderableType] = [_plain(words)]
    if view.failure:
        stands = f"It stands still and is tried again: {view.failure}. The controller's log says more."
        parts.append(Text(terminal.printable(stands), style="red"))
    if view.services:
        parts.append(_services(view))
    if view.stores:
        parts.append(_stores(view))
    parts += [
        _plain(f"{one.a} - {one.b}: {one.fault}" + (f", {100 * one.share:.0f} %" if one.share < 1 else ""))
        for one in view.faults
    ]
    for one in view.alarms[:_MOST_ALARMS]:
        line = f"{_instant(view.epoch, one.at_s)} {one.kind}: {one.subject}: {one.detail}"
        parts.append(Text(terminal.printable(line), style=_STYLES.get(one.kind, "")))
    return Group(*parts)


def _services(view: api.TwinView) -> Table:
    names = (f"{one.a} - {one.b}" for one in view.services)
    table = listing(names, "demand", "rate", "served", "missing", "now over")
    for one in view.services:
        over = Text("no keys", style="red") if one.short else _plain(" → ".join(one.path))
        table.add_row(
            _plain(f"{one.a} - {one.b}"), f"{bits(one.rate_bps)}/s", bits(one.served_bits),
            bits(one.missing_bits), over,
        )  # fmt: skip
    return table


def _stores(view: api.TwinView) -> Table:
    shown = view.stores[:_MOST_STORES]
    table = listing((f"{one.a} - {one.b}" for one in shown), "store", "holds", "made", "used")
    for one in shown:
        table.add_row(
            _plain(f"{one.a} - {one.b}"), bits(one.level_bits), bits(one.made_bits), bits(one.used_bits)
        )
    if len(view.stores) > len(shown):
        table.add_row(f"{len(view.stores) - len(shown)} more", "", "", "")
    return table


def bits(count: float) -> str:
    """Write a number of bits for people, in decimal multiples."""
    for unit, size in (("Gbit", 1e9), ("Mbit", 1e6), ("kbit", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.3g} bit"


def _instant(epoch_ms: int, at_s: float) -> str:
    at = dt.datetime.fromtimestamp(epoch_ms / 1000 + at_s, dt.UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _span(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"


def _plain(text: str) -> Text:
    return Text(terminal.printable(text))
