"""Finds the profile of this device: by name, or the best match with what the device is.

Pure but for reading the profile files; the facts of the device are arguments.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from qfleet_agent.errors import ProfileNotFound
from qfleet_wire.errors import InvalidSpecification
from qfleet_wire.profile import Profile, parse_profile

INSTALLED = Path("/usr/share/qfleet/firmware_profiles")
PACKAGED = Path(__file__).parent / "firmware_profiles"
MIB = 1024 * 1024


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile is recognised by, and what bounds it."""

    models: tuple[str, ...]
    """Device-tree model and DMI names, as far as the device has them."""
    machine: str
    """As ``uname -m``."""
    cores: int
    memory_bytes: int


def directory(setting: Path | None) -> Path:
    """Return the folder that profiles are read from: the setting's, the system's, or the package's."""
    if setting is not None:
        return setting
    return INSTALLED if INSTALLED.is_dir() else PACKAGED


def load_all(folder: Path) -> dict[str, Profile]:
    """Read every profile in ``folder``, by name.

    Raises:
        ProfileNotFound: the folder has none.
        InvalidSpecification: a file is not a valid profile, or its name is not the file's.
    """
    found: dict[str, Profile] = {}
    for path in sorted(folder.glob("*.toml")):
        profile = parse_profile(path.read_text(encoding="utf-8"), source=str(path))
        if profile.name != path.stem:
            raise InvalidSpecification(f"{path}: name = {profile.name!r} must be the file's, {path.stem!r}")
        found[profile.name] = profile
    if not found:
        raise ProfileNotFound(
            f"there are no profiles in {folder}: set profiles_dir to a folder that has some"
        )
    return found


def choose(name: str, profiles: dict[str, Profile], hardware: Hardware) -> Profile:
    """Return the profile of that name, or with ``auto`` the best match. Raises ``ProfileNotFound``."""
    if name != "auto":
        if name in profiles:
            return profiles[name]
        raise ProfileNotFound(f"there is no profile {name!r}; there are {', '.join(sorted(profiles))}")
    matching = detect(profiles.values(), hardware)
    if matching is None:
        device = f"{', '.join(hardware.models) or 'no model'}, {hardware.machine}"
        raise ProfileNotFound(
            f"no profile matches this device ({device}, {hardware.memory_bytes // MIB} MiB): "
            f"set profile to one of {', '.join(sorted(profiles))}"
        )
    return matching


def detect(profiles: Iterable[Profile], hardware: Hardware) -> Profile | None:
    """Return the highest-ranked profile whose every condition holds; of equals the first by name."""
    matching = [profile for profile in profiles if matches(profile, hardware)]
    return min(matching, key=lambda profile: (-profile.recognise.rank, profile.name), default=None)


def matches(profile: Profile, hardware: Hardware) -> bool:
    """Whether a device is of a profile's class."""
    wanted = profile.recognise
    if wanted.machine and hardware.machine not in wanted.machine:
        return False
    if hardware.memory_bytes < wanted.min_memory_mib * MIB:
        return False
    if not wanted.model_contains:
        return True
    return any(part.lower() in model.lower() for part in wanted.model_contains for model in hardware.models)
