"""What the machine would do with a job that nobody has submitted: it looks, and changes nothing."""

from collections.abc import Sequence

from qfleet_controlplane.machine import crowds, events, jobs, state, tables
from qfleet_controlplane.machine.turn import way_of
from qfleet_controlplane.planning import forecast, reach
from qfleet_controlplane.planning.plan import Plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api
from qfleet_wire.names import Millis

_NAMED = 256
"""Up to so many devices are predicted by what each has measured; of more, those alike together."""


def planned(known: state.State, event: events.JobSubmitted, region: str, now: Millis) -> api.PlanView:
    """Plan a job over the devices of this region.

    Raises:
        plan.PlanRefused: as if it had been submitted.
    """
    specification, made = jobs.settled(known, event)
    part = share(known, specification, made, range(len(made.slices)), region=region, now=now)
    return forecast.view(specification, made, (), (part,))


def share(  # noqa: PLR0913 - a share of a plan, and where and when
    known: state.State,
    specification: Specification,
    made: Plan,
    positions: Sequence[int],
    *,
    region: str,
    now: Millis,
) -> forecast.Forecast:
    """Predict the tasks at these positions of a plan on this region's devices."""
    return forecast.forecast(specification, made, positions, _hands(known, region, now))


def _hands(known: state.State, region: str, now: Millis) -> list[forecast.Hand]:
    usable = [
        device
        for device in known.devices.values()
        if device.announcement is not None
        and device.status == "online"
        and device.status not in tables.OUT_OF_SERVICE
    ]
    hands: list[forecast.Hand] = []
    for device in usable:
        told = device.announcement if len(usable) <= _NAMED else known.kind_of(device)
        if told is not None:
            workers = max(1, told.workers)
            wait_ms = crowds.left_ms(now, device) / workers + reach.reach_ms(way_of(device))
            hands.append(forecast.Hand(device.name, region, told, wait_ms))
    return hands
