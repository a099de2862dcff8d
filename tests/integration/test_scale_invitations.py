"""Invitations that ended long ago are forgotten, used or not; the others stay."""

from pathlib import Path

from qfleet_controlplane.store import registry
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import DeviceName, Millis

DAY_MS = 86_400_000
NOW = 1_700_000_000_000


def invited(number: int, expires: int) -> registry.Invitation:
    name, created = DeviceName(f"device-{number}"), Millis(expires - DAY_MS)
    return registry.Invitation(bytes([number]) * 16, name, b"sealed", created, Millis(expires))


def test_invitations_that_ended_long_ago_are_forgotten(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'controlplane.db'}")
    try:
        writer = database.writer
        long_ago = NOW - registry.INVITATION_KEPT_MS - 2 * DAY_MS
        for row in (invited(1, long_ago), invited(2, long_ago), invited(3, NOW - DAY_MS), invited(4, NOW)):
            writer.transact(lambda connection, row=row: registry.add_invitation(connection, row))  # type: ignore[misc]  # one row each
        writer.transact(
            lambda connection: registry.use_invitation(connection, bytes([1]) * 16, b"csr", b"answer")
        )
        writer.transact(lambda connection: registry.add_invitation(connection, invited(5, NOW + DAY_MS)))
        kept = [
            number
            for number in range(1, 6)
            if database.read_now(
                lambda connection, number=number: registry.invitation(connection, bytes([number]) * 16)  # type: ignore[misc]  # as above
            )
        ]
        assert kept == [3, 4, 5]
    finally:
        database.close()
