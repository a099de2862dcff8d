"""The numbers by which the machine decides: times in milliseconds, counts, shares."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the control plane is. One instance holds for the life of a machine."""

    silence_ms: int = 90_000
    """A device unheard for so long is silent: three heartbeats of the default profile."""
    device_store_ms: int = 300_000
    """A device's heartbeats, and when it was last seen, are stored at most so often."""
    hint_ms: int = 5_000
    """A device whose last will came, and that stays unheard for so long, is silent."""
    device_lost_ms: int = 24 * 3_600_000
    """A device silent for so long is lost."""
    most_rhythm_ms: int = 24 * 3_600_000
    """A device that says that it is heard more seldom than this is taken at this word."""
    resend_first_ms: int = 5_000
    """An assignment unanswered for so long is sent again; the wait doubles …"""
    resend_most_ms: int = 60_000
    """… up to this."""
    rest_ms: int = 5_000
    """A device that refused because it is busy or stopping gets no new task for so long."""
    most_losses: int = 10
    """A task that was lost with its device so often fails: it may be what kills them."""
    return_ms: int = 30_000
    """How long devices may take to come back to a machine that was rebuilt."""
    stranded_ms: int = 10_000
    """Tasks that no device here could run for so long may go to another region."""
    stay_ms: int = 30_000
    """A task that came from another region stays at least so long."""
    alarms_ms: int = 60_000
    """Of a device's alarms of one kind, within so long …"""
    most_alarms: int = 5
    """… so many are raised, and the others counted."""
