"""What the agent runs on: found once, at the start, or as a cluster says."""

from dataclasses import dataclass, replace

from qfleet_agent import __version__, facts, profiles
from qfleet_agent.daemon import capacity
from qfleet_agent.engines import registry
from qfleet_agent.machine.admit import Bounds
from qfleet_agent.profiles import Hardware
from qfleet_agent.settings import Settings
from qfleet_agent.workers.bridge_frames import Site
from qfleet_wire.payloads import Announcement, Calibration, Engine
from qfleet_wire.profile import Profile

SITE_PROFILE = "site-cluster"
"""What ``profile = "auto"`` means where tasks run on a cluster: the device is not this computer."""
NO_SITE = Site("", 0, 0, 0, 0, "", (), ())


@dataclass(frozen=True, slots=True)
class Place:
    """The device, its profile, and what follows from the two."""

    settings: Settings
    hardware: Hardware
    profile: Profile
    engines: tuple[Engine, ...]
    bounds: Bounds
    boot_id: str

    def on(self, site: Site) -> "Place":
        """The same device with its tasks on a cluster that is like this."""
        engines = capacity.allowed(self.profile, site.engines)
        return replace(
            self,
            hardware=Hardware(
                models=self.hardware.models,
                machine=site.machine or self.hardware.machine,
                cores=site.threads,
                memory_bytes=site.memory_bytes,
            ),
            engines=engines,
            bounds=capacity.site_bounds(self.profile, site, engines, self.settings.workers),
        )

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
    clustered = settings.scheduler is not None
    name = SITE_PROFILE if clustered and settings.profile == "auto" else settings.profile
    profile = profiles.choose(name, catalogue, hardware)
    engines = capacity.allowed(profile, registry.available())
    bounds = capacity.bounds(profile, hardware, engines, settings.workers)
    place = Place(settings, hardware, profile, engines, bounds, facts.boot_id())
    return place.on(NO_SITE) if clustered else place
