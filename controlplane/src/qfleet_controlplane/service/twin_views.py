"""Puts a twin into the API's terms."""

import difflib
from collections.abc import Iterable

from qfleet_controlplane.network.survey import Survey, network_of
from qfleet_controlplane.network.twin.advance import begin, is_over
from qfleet_controlplane.network.twin.model import Network, Twin
from qfleet_wire.api import network as api
from qfleet_wire.names import Millis


def view(survey: Survey, network: Network, twin: Twin, pace: tuple[bool, float]) -> api.TwinView:
    """Return a twin as the API shows it; ``pace``: whether it runs, and how much faster than the clock."""
    running, speed = pace
    status: api.SimulationStatus = "ended" if is_over(network, twin) else "running" if running else "stopped"
    if twin.failure:
        status = "failed"
    stores = sorted(twin.stores.values(), key=lambda store: (-store.level_bits, store.a, store.b))
    return api.TwinView(
        name=survey.name,
        status=status,
        speed=speed,
        seed=twin.seed,
        epoch=Millis(survey.epoch_ms),
        at_s=twin.at_s,
        duration_s=network.duration_s,
        contacts_running=len(twin.running),
        stores=tuple(
            api.KeyStoreView(
                a=store.a,
                b=store.b,
                level_bits=store.level_bits,
                made_bits=store.made_bits,
                used_bits=store.used_bits,
            )
            for store in stores
        ),
        services=tuple(
            api.ServiceView(
                a=want.a,
                b=want.b,
                rate_bps=want.rate_bps,
                served_bits=service.served_bits,
                missing_bits=service.missing_bits,
                path=service.path,
                short=service.short_since is not None,
            )
            for want, service in zip(network.wants, twin.services, strict=True)
        ),
        faults=tuple(_fault(name, twin) for name in sorted(twin.faults)),
        alarms=tuple(
            api.NetworkAlarmView(at_s=one.at_s, kind=one.kind, subject=one.subject, detail=one.detail)
            for one in reversed(twin.alarms)
        ),
        alarms_raised=twin.alarms_raised,
        failure=twin.failure,
    )


def never_ran(survey: Survey, failure: str = "") -> api.TwinView:
    """Return the twin of a network that nobody has started; ``failure``: why nobody can."""
    network = network_of(survey)
    twin = begin(network, 0)
    twin.failure = failure
    return view(survey, network, twin, (False, 1.0))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like ``name``, if one is."""
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return found[0] if found else None


def _fault(name: str, twin: Twin) -> api.FaultView:
    a, _, b = name.partition("|")
    fault = twin.faults[name]
    return api.FaultView(a=a, b=b, fault=fault.kind, share=fault.share)
