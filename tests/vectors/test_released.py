"""Messages of every released version read in this one, and those of this one in the released."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.simulation.wire_fleet import DEVICE, NOW, REGION
from tests.system import released
from tests.vectors.wire import samples

from qfleet_wire import codec, payloads, workload
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

HERE = Path(__file__).parent
RELEASED = HERE / "released"
READER = HERE / "released_reader.py"
VERSIONS = sorted(path.name for path in RELEASED.iterdir() if path.is_dir())
UNIONS: dict[str, Any] = {
    "down": payloads.Down,
    "up": payloads.Up,
    "work": workload.Work,
    "result": workload.WorkResult,
}
CHANNELS = {
    "enrol_request": Channel.ENROL,
    "hello": Channel.HELLO,
    "answer": Channel.DOWN,
    "resume": Channel.HELLO,
    "resume_answer": Channel.DOWN,
    "refusal": Channel.DOWN,
    "refusal_rate": Channel.DOWN,
    "call": Channel.DOWN,
    "sealed_up": Channel.UP,
    "sealed_down": Channel.DOWN,
}
Read = dict[str, Any]


def texts(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module", params=VERSIONS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Read:
    """What a released version sees of the messages of this one."""
    installed = released.install(tmp_path_factory.mktemp("released"), request.param)
    frames = texts(HERE / "wire" / "messages.json") | texts(HERE / "wire" / "hints.json")
    return _read_by(
        installed.python,
        {
            "up": _text(codec.pack(samples.UP, epoch=7, sent=NOW)),
            "down": _text(codec.pack(samples.DOWN, epoch=7, sent=NOW)),
            "frames": {
                name: [topic_for(DeviceTopic(REGION, DEVICE, channel)), frames[name]]
                for name, channel in CHANNELS.items()
            },
        },
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read_by(python: str, given: Read) -> Read:
    done = subprocess.run(
        [python, "-P", str(READER)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read: Read = json.loads(done.stdout)
    return read


@pytest.mark.parametrize("version", VERSIONS)
def test_frames_are_still_those_that_the_release_speaks(version: str) -> None:
    """``test_wire_frozen`` opens and verifies each of these."""
    assert texts(HERE / "wire" / "messages.json") == texts(RELEASED / version / "messages.json")


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (version, name)
        for version in VERSIONS
        for name in texts(RELEASED / version / "payloads.json")
        if "/" in name
    ],
)
def test_payloads_of_a_release_are_read_without_loss(version: str, name: str) -> None:
    data = base64.b64decode(texts(RELEASED / version / "payloads.json")[name])
    message = msgspec.msgpack.decode(data, type=UNIONS[name.split("/", maxsplit=1)[0]])
    again, frozen = msgspec.msgpack.decode(codec.encode(message)), msgspec.msgpack.decode(data)
    assert _holds(again, frozen), "a field that the release sends is lost or another"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_release_reads_payloads_of_this_version(seen: Read, direction: str) -> None:
    known = {
        name.split("/")[1]
        for name in texts(RELEASED / released.VERSION / "payloads.json")
        if name.startswith(f"{direction}/")
    }
    sent = samples.UP if direction == "up" else samples.DOWN
    assert len(seen[direction]) == len(sent)
    for item, read in zip(sent, seen[direction], strict=True):
        kind = str(item.__struct_config__.tag)
        if kind in known:
            ours = _read_by(sys.executable, {"up": _batch(item, "up", direction), "down": _batch(
                item, "down", direction), "frames": {}})[direction][0]  # fmt: skip
            assert _holds(ours, read), f"{kind}: the release reads something else than was sent"
        else:
            assert read == {"type": "unsupported", "kind": kind}


def _batch(item: msgspec.Struct, wanted: str, direction: str) -> str:
    return _text(codec.pack([item] if wanted == direction else [], epoch=7, sent=NOW))


def test_a_release_lets_frames_of_this_version_in_or_drops_them(seen: Read) -> None:
    said = dict(seen["frames"])
    # Both are hints that nobody waits for: an agent without them tries again when its time is over.
    assert said.pop("call") == "Rejected: kind"
    assert said.pop("refusal_rate") == "Rejected: content"
    assert set(said.values()) == {"Frame"}


def _holds(fresh: object, frozen: object) -> bool:
    """Whether everything frozen is still there; mappings may have grown."""
    if isinstance(fresh, dict) and isinstance(frozen, dict):
        return all(key in fresh and _holds(fresh[key], value) for key, value in frozen.items())
    if isinstance(fresh, list) and isinstance(frozen, list):
        return len(fresh) == len(frozen) and all(map(_holds, fresh, frozen))
    return type(fresh) is type(frozen) and fresh == frozen
