"""Frozen hints: what tells a device to come, or to come again later, is spelt as it was."""

import base64
import json
from pathlib import Path

import pytest
from tests.simulation.wire_fleet import DEVICE, REGION
from tests.vectors.wire import generate

from qfleet_wire import codec, door
from qfleet_wire.channel import frames
from qfleet_wire.channel.frames import Kind
from qfleet_wire.errors import Refused
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

HINTS = {
    name: base64.b64decode(text)
    for name, text in json.loads((Path(__file__).parent / "wire" / "hints.json").read_text()).items()
}


def test_hints_are_made_as_they_were() -> None:
    assert generate.hints() == HINTS


def test_hints_read_as_they_did() -> None:
    refusal = frames.read(HINTS["refusal_rate"], frames.Refusal)
    assert (refusal.code, refusal.after_ms) == ("rate", 2500)
    assert refusal.request == frames.frame_hash(b"a hello")
    assert frames.read(HINTS["call"], frames.Call) == frames.Call(1, 500)


@pytest.mark.parametrize("name", sorted(HINTS))
def test_hints_come_down_and_nowhere_else(name: str) -> None:
    for channel in Channel:
        got = door.read(topic_for(DeviceTopic(REGION, DEVICE, channel)), HINTS[name])
        down = channel is Channel.DOWN or (channel is Channel.ENROL and HINTS[name][0] == Kind.REFUSAL)
        assert isinstance(got, door.Frame) == down, channel


def test_a_refusal_without_a_time_is_spelt_as_before_there_was_one() -> None:
    plain = frames.refusal(b"a hello", Refused("no", code="suite"))
    assert plain[1:] == codec.encode(frames.Refusal(frames.frame_hash(b"a hello"), "suite", "no"))
    assert b"after_ms" not in plain
