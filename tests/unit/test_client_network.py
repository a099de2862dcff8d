"""How the quantum network is shown: which devices stand where, and where contacts come from."""

from io import StringIO

from rich.console import Console, RenderableType

from qfleet.render import network
from qfleet_wire.api.network import ContactsView, ContactView, NetworkView, Origin, SeatView
from qfleet_wire.names import Millis


def printed(shown: RenderableType) -> list[list[str]]:
    console = Console(file=StringIO(), width=160)
    console.print(shown)
    assert isinstance(console.file, StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


def contact(number: int, origin: Origin) -> ContactView:
    return ContactView(
        number=number, a="micius", b="graz", kind="satellite", start_s=60.0 * number,
        end_s=60.0 * number + 30.0, expected_bits=1000.0, clear_bits=1000.0, origin=origin,
    )  # fmt: skip


def test_a_contact_says_where_it_comes_from_unless_it_is_computed() -> None:
    made = (contact(0, "computed"), contact(1, "planned"), contact(2, "measured"))
    _, *lines = printed(network.contacts(ContactsView(contacts=made, total=3, epoch=Millis(0))))
    assert [line[4:6] for line in lines] == [
        ["satellite", "1970-01-01"], ["satellite,", "planned"], ["satellite,", "measured"]
    ]  # fmt: skip


def test_devices_that_the_fleet_does_not_know_are_marked() -> None:
    seats = (
        SeatView(node="graz", device="ogs-1", enrolled=True),
        SeatView(node="micius", device="payload", enrolled=False),
    )
    view = NetworkView(
        name="micius", title="a test", epoch=Millis(0), duration_s=3600.0, loaded=Millis(0), sites=(),
        fibres=(), satellites=("micius",), demands=0, passes=0, contacts=0, expected_bits=0.0, devices=seats,
    )  # fmt: skip
    lines = printed(network.network(view))
    assert lines[-2:] == [["graz", "ogs-1"], ["micius", "payload", "not", "enrolled", "yet"]]
