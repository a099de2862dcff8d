"""How badly things go: chances of faults, by kinds of weather.

Chances per message and per step are in [0, 1]; ``troubles`` are weights of the larger mishaps, of which
one happens every ``calm_ms`` or so. Times are milliseconds of the simulation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The chances of one schedule."""

    lose: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    replay: float = 0.0
    """An earlier message, of this session or an older one, comes once more."""
    echo: float = 0.0
    """What was opened is handed to the machine once more, now or much later."""
    delays_ms: tuple[int, ...] = (2, 2, 5, 20)
    agent_crash: float = 0.0
    control_crash: float = 0.0
    refuse_write: float = 0.0
    refuse_commit: float = 0.0
    refuse_read: float = 0.0
    fail: float = 0.0
    """A worker dies over a task."""
    calm_ms: int = 5_000
    troubles: dict[str, int] = field(default_factory=dict)
    control_jumps_ms: tuple[int, ...] = ()
    agent_jumps_ms: tuple[int, ...] = ()
    sealed: bool = False
    """Sessions come about by the real handshakes."""
    most_losses: int = 10_000
    regions: int = 1
    redundant: float = 0.0
    """Share of the jobs that ask two of three devices to agree."""
    liar: bool = False
    """The first device lies about half of what it computes; then every job should be redundant."""
    ways: bool = False
    """Devices have two ways, of which a cable is unplugged now and then and a satellite passes by plan.

    Some of its passes are planned by the control plane, and then no others are used."""
    share: int = 4
    """Of the schedules of a campaign, against the other weathers: some take longer."""


CALM = Weather()
"""What every schedule ends with."""

_MINUTE = 60_000
_DAY = 1_440 * _MINUTE
_WORK = {"submit": 2, "cancel": 1}
_LINK = Weather(
    lose=0.15,
    duplicate=0.1,
    corrupt=0.05,
    replay=0.05,
    echo=0.05,
    delays_ms=(2, 2, 5, 20, 300, 4_000, 40_000),
    fail=0.05,
    troubles=_WORK | {"cut": 5, "blackout": 2, "silence": 2},
)
_EVERYTHING = replace(
    _LINK,
    lose=0.08,
    agent_crash=0.01,
    control_crash=0.01,
    refuse_write=0.05,
    refuse_commit=0.03,
    refuse_read=0.05,
    control_jumps_ms=(-600_000, -20_000, -1_000, 1_000, 20_000, 300_000),
    agent_jumps_ms=(-60 * 365 * _DAY, -_DAY, -5_000, 5_000, _DAY),
    troubles=_LINK.troubles
    | {
        "agent-jump": 2,
        "control-jump": 2,
        "disk-full": 2,
        "revoke": 1,
        "quarantine": 1,
        "replace": 1,
        "takeover": 2,
        "agent-crash": 2,
        "control-crash": 2,
    },
)

WEATHERS: Mapping[str, Weather] = {
    "lossy": _LINK,
    "crashing": Weather(
        lose=0.02,
        delays_ms=(2, 5, 20, 300),
        agent_crash=0.03,
        control_crash=0.03,
        fail=0.05,
        troubles=_WORK | {"cut": 2, "agent-crash": 2, "control-crash": 1},
    ),
    "clocks": replace(
        _EVERYTHING,
        agent_crash=0.005,
        control_crash=0.005,
        refuse_write=0.0,
        refuse_commit=0.0,
        refuse_read=0.0,
        calm_ms=3_000,
        troubles=_WORK | {"control-jump": 6, "agent-jump": 4, "cut": 2, "silence": 2},
    ),
    "disks": Weather(
        lose=0.03,
        delays_ms=(2, 5, 20, 300),
        agent_crash=0.01,
        refuse_write=0.3,
        refuse_commit=0.15,
        refuse_read=0.2,
        fail=0.05,
        troubles=_WORK | {"disk-full": 4, "cut": 2, "agent-crash": 1},
    ),
    "membership": replace(
        _LINK,
        calm_ms=3_000,
        lose=0.05,
        agent_crash=0.005,
        control_crash=0.005,
        troubles=_WORK | {"revoke": 4, "quarantine": 4, "replace": 3, "cut": 2, "silence": 2},
    ),
    "takeover": replace(
        _LINK,
        calm_ms=3_000,
        lose=0.03,
        control_crash=0.005,
        troubles=_WORK | {"takeover": 5, "cut": 2, "silence": 1, "quarantine": 1},
    ),
    "stern": replace(
        _LINK,
        agent_crash=0.01,
        fail=0.25,
        most_losses=3,
        troubles=_WORK | {"cut": 3, "silence": 4, "quarantine": 1},
    ),
    "sealed": replace(
        _LINK, corrupt=0.1, replay=0.1, agent_crash=0.005, control_crash=0.005, sealed=True, share=2
    ),
    "regions": replace(
        _EVERYTHING,
        regions=2,
        share=3,
        lose=0.05,
        control_crash=0.005,
        troubles=_EVERYTHING.troubles | {"region-dark": 6, "takeover": 3},
    ),
    "everything": _EVERYTHING,
    "redundant": replace(_EVERYTHING, redundant=0.7),
    "redundant-regions": replace(
        _EVERYTHING,
        regions=2,
        redundant=0.7,
        share=2,
        lose=0.05,
        control_crash=0.005,
        troubles=_EVERYTHING.troubles | {"region-dark": 6, "takeover": 3},
    ),
    "ways": replace(
        _LINK,
        ways=True,
        lose=0.05,
        calm_ms=4_000,
        delays_ms=(2, 2, 5, 20, 300),
        agent_crash=0.003,
        control_crash=0.003,
        share=3,
        troubles=_WORK | {"unplug": 14, "plan": 4, "cut": 2, "quarantine": 1},
    ),
    "liar": replace(_EVERYTHING, redundant=1.0, liar=True),
}
