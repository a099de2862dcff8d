"""What passes between the control plane and a device's key process; the bodies are opaque here."""

import msgspec


class KeyOrder(msgspec.Struct, frozen=True, tag="key-order"):
    """An order to the device's key process, opaque here. Repeated until ``KeyOrderTaken`` names it."""

    id: str
    body: bytes


class KeyOrderTaken(msgspec.Struct, frozen=True, tag="key-order-taken"):
    """The key process has stored this order for good, now or before. Repeatable."""

    id: str


class KeyReport(msgspec.Struct, frozen=True, tag="key-report"):
    """A report of the device's key process, opaque here. Repeated until ``KeyReportStored`` names it."""

    id: str
    body: bytes


class KeyReportStored(msgspec.Struct, frozen=True, tag="key-report-stored"):
    """Reports that are stored for good; the key process forgets them. Repeatable."""

    ids: tuple[str, ...]
