"""What the agent runs on: found once, at the start."""

from dataclasses import dataclass

from qfleet_agent import __version__, facts, profiles
from qfleet_agent.daemon import capacity
from qfleet_agent.engines import registry
from qfleet_agent.machine.admit import Bounds
from qfleet_agent.profiles import Hardware
from qfleet_agent.settings import Settings
from qfleet_wire.payloads import Announcement, Calibration, Engine
from qfleet_wire.profile import Profile


@dataclass(frozen=True, slots=True)
class Place:
    """The device, its profile, and what follows from the two."""

    settings: Settings
    hardware: Hardware
    profile: Profile
    engines: tuple[Engine, ...]
    bounds: Bounds
    boot_id: str

    def announcement(self, calibrations: tuple[Calibration, ...]) -> Announcement:
        """Put in words for the controller what this device is and can do."""
        return Announcement(
            agent_version=__version__,
            profile=self.profile.name,
            boot_id=self.boot_id,
            machine=self.hardware.machine,
            cores=self.hardware.cores,
            memory_bytes=self.hardware.memory_bytes,
            workers=self.bounds.workers,
            task_memory_bytes=self.bounds.task_memory_bytes,
            max_qubits=self.bounds.max_qubits,
            engines=self.engines,
            calibrations=calibrations,
            task_time_ms=self.bounds.task_ms,
        )


def survey(settings: Settings) -> Place:
    """Look at the device and choose its profile. Blocking.

    Raises:
        ProfileNotFound, InvalidSpecification: there is no profile for this device, or a broken one.
    """
    hardware = facts.hardware()
    catalogue = profiles.load_all(profiles.directory(settings.profiles_dir))
    profile = profiles.choose(settings.profile, catalogue, hardware)
    engines = capacity.allowed(profile, registry.available())
    bounds = capacity.bounds(profile, hardware, engines, settings.workers)
    return Place(settings, hardware, profile, engines, bounds, facts.boot_id())
