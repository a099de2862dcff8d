"""The frames between agent and worker, however the stream is cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.workers import frames
from qfleet_agent.workers.errors import FrameInvalid

TASKS = st.builds(
    frames.Task, st.integers(0, 2**40), st.binary(max_size=300), st.integers(0, 2**40), st.booleans()
)
NUMBER = st.integers(0, 2**40)
ANSWERS = st.one_of(
    st.just(frames.Ready()),
    st.builds(frames.Begun, NUMBER),
    st.builds(frames.Share, NUMBER, st.floats(0, 1)),
    st.builds(frames.Done, NUMBER, st.binary(max_size=300), st.text(), st.text(), NUMBER, st.floats(0, 1e6)),
    st.builds(frames.Broken, NUMBER, st.sampled_from(("error", "memory")), st.text()),
)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(ANSWERS, max_size=6), st.lists(st.integers(0, 5000), max_size=8))
def test_answers_survive_any_cut(sent: list[frames.Answer], places: list[int]) -> None:
    splitter: frames.Splitter[frames.Answer] = frames.Splitter(frames.Answer)  # type: ignore[arg-type] # a union of structs
    pieces = cut(b"".join(map(frames.encode, sent)), places)
    assert [frame for piece in pieces for frame in splitter.feed(piece)] == sent


@given(st.lists(TASKS, max_size=6), st.lists(st.integers(0, 5000), max_size=8))
def test_tasks_survive_any_cut(sent: list[frames.Task], places: list[int]) -> None:
    splitter = frames.Splitter(frames.Task)
    pieces = cut(b"".join(map(frames.encode, sent)), places)
    assert [frame for piece in pieces for frame in splitter.feed(piece)] == sent


def test_a_frame_over_the_limit_is_refused_before_it_is_held() -> None:
    splitter = frames.Splitter(frames.Task)
    with pytest.raises(FrameInvalid, match="over the limit of 536870912"):
        list(splitter.feed((frames.MAX_BYTES + 1).to_bytes(4, "big")))


@given(st.binary(min_size=1, max_size=60))
def test_garbage_is_a_frame_or_refused_and_nothing_else(body: bytes) -> None:
    splitter = frames.Splitter(frames.Task)
    try:
        found = list(splitter.feed(len(body).to_bytes(4, "big") + body))
    except FrameInvalid:
        return
    assert all(isinstance(frame, frames.Task) for frame in found)
