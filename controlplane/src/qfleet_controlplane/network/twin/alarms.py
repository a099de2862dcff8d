"""The twin's alarms: the newest are kept, all are counted."""

from qfleet_controlplane.network.twin.model import Alarm, AlarmKind, Twin

KEPT = 200
"""How many alarms a twin keeps."""


def raise_alarm(twin: Twin, at_s: float, kind: AlarmKind, subject: str, detail: str) -> None:
    """Add an alarm, and forget the oldest beyond ``KEPT``."""
    twin.alarms.append(Alarm(at_s=at_s, kind=kind, subject=subject, detail=detail))
    twin.alarms_raised += 1
    del twin.alarms[:-KEPT]
