import shutil
from pathlib import Path

import pytest

import qfleet_agent.profiles
from qfleet_agent import profiles
from qfleet_agent.errors import ProfileNotFound
from qfleet_agent.profiles import Hardware
from qfleet_wire.errors import InvalidSpecification
from qfleet_wire.limits import LIMITS

CATALOGUE = Path(__file__).parents[2] / "firmware_profiles"
GIB = 1024**3
NAMES = {"generic", "raspberry-pi-4", "raspberry-pi-5", "jetson-orin-nano", "x86-gateway", "site-cluster"} | {
    "emulated-processor"
}


def hardware(*models: str, machine: str = "aarch64", memory: int = 4 * GIB) -> Hardware:
    return Hardware(models=models, machine=machine, cores=4, memory_bytes=memory)


def test_every_profile_is_valid_and_named_as_its_file() -> None:
    assert set(profiles.load_all(CATALOGUE)) == NAMES


def test_the_package_carries_the_same_files() -> None:
    assert (
        profiles.PACKAGED.resolve() == CATALOGUE.resolve()
        or set(profiles.load_all(qfleet_agent.profiles.PACKAGED)) == NAMES
    )


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_profiles_budget_is_coherent(name: str) -> None:
    profile = profiles.load_all(CATALOGUE)[name]
    budget = profile.budget
    # The engine keeps two state vectors of complex128 for whatever is not plain sampling.
    assert 2 * 16 * 2**budget.max_qubits <= budget.task_memory_mib * 2**20
    assert budget.max_qubits <= LIMITS.qubits
    assert budget.max_shots <= LIMITS.shots
    assert budget.workers >= 1
    assert 0 < budget.disk_reserve_mib < budget.disk_mib
    assert budget.temperature_limit_c is None or 50 <= budget.temperature_limit_c <= 95
    assert profile.link.heartbeat_s <= profile.link.keep_alive_s


@pytest.mark.parametrize(
    ("device", "name"),
    [
        (hardware("Raspberry Pi 4 Model B Rev 1.4"), "raspberry-pi-4"),
        (hardware("Raspberry Pi Compute Module 4 Rev 1.0"), "raspberry-pi-4"),
        (hardware("Raspberry Pi 5 Model B Rev 1.0"), "raspberry-pi-5"),
        (hardware("NVIDIA Jetson Orin Nano Developer Kit"), "jetson-orin-nano"),
        (hardware("Edge Gateway 5200", "Dell Inc.", machine="x86_64", memory=8 * GIB), "x86-gateway"),
        (hardware("Edge Gateway 5000", machine="x86_64", memory=2 * GIB), "generic"),
        (hardware("Raspberry Pi 4 Model B Rev 1.4", machine="armv7l"), "generic"),
        (hardware("Some Board"), "generic"),
        (hardware(machine="x86_64", memory=GIB // 2), "generic"),
    ],
)
def test_a_device_is_recognised(device: Hardware, name: str) -> None:
    assert profiles.choose("auto", profiles.load_all(CATALOGUE), device).name == name


def test_a_cluster_is_never_recognised_only_named() -> None:
    catalogue = profiles.load_all(CATALOGUE)
    only = {"site-cluster": catalogue["site-cluster"]}
    for machine in ("x86_64", "aarch64"):
        with pytest.raises(ProfileNotFound):
            profiles.choose("auto", only, hardware("PowerEdge R760", machine=machine, memory=512 * GIB))


def test_a_named_profile_is_taken_whatever_the_device() -> None:
    chosen = profiles.choose("raspberry-pi-4", profiles.load_all(CATALOGUE), hardware(machine="x86_64"))
    assert chosen.name == "raspberry-pi-4"


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(ProfileNotFound, match=r"generic.*raspberry-pi-4"):
        profiles.choose("raspberry-pi-3", profiles.load_all(CATALOGUE), hardware())


def test_a_device_that_nothing_matches_is_told_what_it_is() -> None:
    only = {"raspberry-pi-4": profiles.load_all(CATALOGUE)["raspberry-pi-4"]}
    with pytest.raises(ProfileNotFound, match="Odd Board, riscv64, 4096 MiB"):
        profiles.choose("auto", only, hardware("Odd Board", machine="riscv64"))


def test_an_unknown_key_names_its_nearest_match(tmp_path: Path) -> None:
    text = (CATALOGUE / "generic.toml").read_text().replace("max_qubits", "max_qubit")
    (tmp_path / "generic.toml").write_text(text)
    with pytest.raises(InvalidSpecification, match="did you mean `max_qubits`"):
        profiles.load_all(tmp_path)


def test_a_profile_under_another_name_is_refused(tmp_path: Path) -> None:
    shutil.copy(CATALOGUE / "generic.toml", tmp_path / "special.toml")
    with pytest.raises(InvalidSpecification, match="must be the file's"):
        profiles.load_all(tmp_path)


def test_a_folder_without_profiles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileNotFound, match="profiles_dir"):
        profiles.load_all(tmp_path)
