"""The noise that firmware profiles carry, by the profile's name: a job may ask for it.

Read once, when the control plane starts: what a job was told stands in its work from its submission on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.errors import InvalidSpecification
from qfleet_wire.noise import Noise
from qfleet_wire.profile import parse_profile

INSTALLED: Final = Path("/usr/share/qfleet/firmware_profiles")
PACKAGED: Final = Path(__file__).parent / "firmware_profiles"


def noise(setting: str) -> Mapping[str, Noise]:
    """Return the noise of each profile that has one; of the setting's folder, the system's, or the package's.

    Raises:
        ConfigurationError: a file cannot be read or is no valid profile, or the setting's folder has none.
    """
    folder = Path(setting) if setting else INSTALLED if INSTALLED.is_dir() else PACKAGED
    files = sorted(folder.glob("*.toml"))
    if setting and not files:
        raise ConfigurationError(f"profiles = {setting!r} has no profiles: name a folder with *.toml files")
    found: dict[str, Noise] = {}
    for path in files:
        try:
            profile = parse_profile(path.read_text(encoding="utf-8"), source=str(path))
        except (OSError, UnicodeDecodeError, InvalidSpecification) as error:
            raise ConfigurationError(f"cannot read the profile {path}: {error}") from error
        if profile.noise is not None:
            found[profile.name] = profile.noise
    return found
