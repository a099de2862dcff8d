"""Keys between devices: links, sessions, relays and alarms, as the control plane knows them; never a key.

``a`` and ``b`` are places of the scenario or the devices there, in requests; places in answers about links.
``simulated`` says whether the light is, as devices report it, and null that none has said so yet: of a link
by its latest session that told, of a relay by its links when it was ordered. Sizes are bits of key unless
they say otherwise.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.names import Millis

MOST_LISTED = 1000
"""Sessions, relays or alarms of one answer."""
FEWEST_LETTERS = 4
"""Of the name of a session or a relay that is looked for."""
KeyLinkState: TypeAlias = Literal["up", "down", "alarmed"]
KeyStatus: TypeAlias = Literal["ordered", "key", "aborted", "expired"]
KeyListener: TypeAlias = Literal["intercept", "split", "blind"]


class KeyUseView(msgspec.Struct, frozen=True, kw_only=True):
    """What an application at one end has taken of a link's key: made for others, and fetched of theirs."""

    application: str
    issued_bits: int = 0
    issued_keys: int = 0
    fetched_keys: int = 0


class KeyEndView(msgspec.Struct, frozen=True, kw_only=True):
    """What one end of a link said last of its keys with the other one.

    What it may still allot, what both may, and what was used; ``told`` None: it never said anything.
    """

    device: str
    ours_bits: int = 0
    all_bits: int = 0
    used_bits: int = 0
    told: Millis | None = None
    uses: tuple[KeyUseView, ...] = ()


class KeyLinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A link of the twin that joins two devices; ``a`` sends. ``reason`` says why it is not up."""

    a: str
    b: str
    link: str
    protocol: str
    state: KeyLinkState
    reason: str
    simulated: bool | None
    expected_bits_per_s: float
    ends: tuple[KeyEndView, KeyEndView]
    low_water_bits: int
    last_session: str | None


class KeySessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session of a link between devices ``a`` and ``b``; ``seen`` is what its alarm saw."""

    session: str
    a: str
    b: str
    link: str
    protocol: str
    status: KeyStatus
    bits: int
    sifted: int
    error_rate: float
    leak_bits: int
    reason: str
    seen: str
    created: Millis
    ended: Millis | None
    eavesdropper: str | None
    simulated: bool | None = None


class KeyRelayView(msgspec.Struct, frozen=True, kw_only=True):
    """A key of ``size`` bytes that was carried along a route of devices; ``trusted`` are those between."""

    relay: str
    route: tuple[str, ...]
    trusted: tuple[str, ...]
    size: int
    status: KeyStatus
    bits: int
    reason: str
    created: Millis
    ended: Millis | None
    simulated: bool | None = None


class KeySessionEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What the device at one end of a session said of it when it ended."""

    device: str
    role: str
    outcome: str
    bits: int
    sifted: int
    error_rate: float
    leak_bits: int
    reason: str
    seen: str
    simulated: bool | None


class KeySessionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A session with who asked for it, what its ends said, and until when they may begin it.

    ``contact_s`` is the start of the contact whose light it takes, in seconds of the scenario.
    """

    session: KeySessionView
    who: str
    pulses: int
    expires: Millis
    contact_s: float | None
    ends: tuple[KeySessionEnd, ...]


class KeyRelayDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A relay with who asked for it, its links, and how it ended at the devices that said so.

    ``replaces`` names the relay whose route was given up for this one's; empty where there is none.
    """

    relay: KeyRelayView
    who: str
    links: tuple[str, ...]
    expires: Millis
    ends: dict[str, str]
    replaces: str


class KeyAlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen on a link, or on the route of a relay, and what was done; it stands until ``cleared``."""

    at: Millis
    link: str
    session: str
    seen: str
    action: str
    cleared: Millis | None = None
    simulated: bool | None = None


class KeyExchangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let a link make a key now. On a simulated link an eavesdropper may listen to a ``share`` of the light.

    ``pulses`` takes fewer than the plan has.
    """

    a: str
    b: str
    eavesdropper: KeyListener | None = None
    share: float = 1.0
    pulses: int | None = None


class KeyRelayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let places without a link share a key of so many bytes."""

    a: str
    b: str
    bytes: int = 32
