import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_wire import api, circuit, codec, payloads, profile, topics, workload
from qfleet_wire.errors import (
    InvalidMessage,
    InvalidName,
    InvalidSpecification,
    InvalidTopic,
    LimitExceeded,
    LocalError,
    Refused,
    RemoteError,
    Untrusted,
    WireError,
)
from qfleet_wire.limits import LIMITS, Limits
from qfleet_wire.names import DeviceName, JobId, Millis, RegionName, TaskId, parse_name

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
ACCEPTED = payloads.Accepted(TaskId("t"), 1)


# ── names and topics ────────────────────────────────────────────────────────────────────────


@given(NAMES)
def test_a_name_is_a_dns_label_in_lower_case(name: str) -> None:
    assert parse_name(name, "device") == name
    assert len(name) <= 63


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "a/b", "a b", "a.b", "+", "#", "a" * 64, "é", "a\n", "a\x00"]
)
def test_what_is_no_name_says_what_one_is(name: str) -> None:
    with pytest.raises(InvalidName, match=r"region name .* use 1 to 63 of a-z, 0-9"):
        parse_name(name, "region")


@given(st.text(alphabet=string.printable, max_size=70))
def test_a_name_can_always_stand_in_a_topic_and_a_path(text: str) -> None:
    try:
        name = parse_name(text, "device")
    except InvalidName:
        return
    assert not set(name) & set("/+#.$\\ \n\x00")


@given(NAMES, NAMES, st.sampled_from(list(topics.Channel)))
def test_spelling_and_parsing_topics_are_inverses(region: str, device: str, channel: topics.Channel) -> None:
    for topic in (
        topics.DeviceTopic(RegionName(region), DeviceName(device), channel),
        topics.AuthorityTopic(RegionName(region)),
    ):
        assert topics.parse_topic(topics.topic_for(topic)) == topic


@given(st.one_of(st.text(max_size=80), st.builds("qfleet/1/{}".format, st.text(max_size=40))))
def test_whatever_parses_is_spelled_the_same(text: str) -> None:
    try:
        topic = topics.parse_topic(text)
    except InvalidTopic:
        return
    assert topics.topic_for(topic) == text


def test_a_subscription_matches_one_channel_of_every_device() -> None:
    text = topics.subscription(RegionName("north"), topics.Channel.UP)
    assert text == "qfleet/1/north/+/up"
    concrete = topics.topic_for(topics.DeviceTopic(RegionName("north"), DeviceName("pi"), topics.Channel.UP))
    assert text.replace("+", "pi") == concrete
    with pytest.raises(InvalidTopic):
        topics.parse_topic(text)


# ── the codec ───────────────────────────────────────────────────────────────────────────────


def test_a_batch_carries_many_payloads_both_ways() -> None:
    up: list[payloads.Up] = [ACCEPTED, payloads.Progress(TaskId("t"), 1, 0.5)]
    batch, items = codec.unpack_up(codec.pack(up, epoch=0, sent=Millis(5)))
    assert items == up
    assert (batch.epoch, batch.sent) == (0, 5)
    down: list[payloads.Down] = [payloads.Acknowledge(((TaskId("t"), 1),)), payloads.Ask("inventory")]
    batch, got = codec.unpack_down(codec.pack(down, epoch=3, sent=Millis(6)))
    assert got == down
    assert batch.epoch == 3


def test_an_unknown_kind_is_answered_unsupported_and_harms_no_other() -> None:
    unknown = msgspec.Raw(msgspec.msgpack.encode({"type": "teleport", "to": "moon"}))
    nameless = msgspec.Raw(msgspec.msgpack.encode([1, 2]))
    good = msgspec.Raw(codec.encode(ACCEPTED))
    data = codec.encode(payloads.Batch(0, Millis(1), (unknown, good, nameless)))
    assert codec.unpack_up(data)[1] == [
        payloads.Unsupported("teleport"),
        ACCEPTED,
        payloads.Unsupported("?"),
    ]


def test_payloads_of_the_other_direction_are_unsupported() -> None:
    ask = codec.pack([payloads.Ask("inventory")], epoch=0, sent=Millis(1))
    assert codec.unpack_up(ask)[1] == [payloads.Unsupported("ask")]


def test_unknown_fields_are_ignored() -> None:
    raw = msgspec.msgpack.encode({"type": "accepted", "task": "t", "attempt": 1, "mood": "good"})
    decoded: payloads.Accepted = codec.decode(raw, payloads.Accepted)
    assert decoded == ACCEPTED


def test_limits_are_checked_before_decoding() -> None:
    with pytest.raises(LimitExceeded, match="9 bytes is over the limit of 8"):
        codec.decode(bytes(9), payloads.Accepted, limit=8)
    with pytest.raises(LimitExceeded, match="4194305"):
        codec.decode(bytes(LIMITS.frame_bytes + 1), payloads.Accepted)
    many = codec.pack([ACCEPTED] * (LIMITS.batch_items + 1), epoch=0, sent=Millis(1))
    with pytest.raises(LimitExceeded, match="4097 items"):
        codec.unpack_up(many)
    codec.unpack_up(codec.pack([ACCEPTED] * LIMITS.batch_items, epoch=0, sent=Millis(1)))


def test_deep_nesting_is_a_limit_and_not_a_crash() -> None:
    expression = b"\x93\xa11\xa1-" * 200_000
    with pytest.raises((LimitExceeded, InvalidMessage)):
        codec.decode(expression, circuit.Unary)
    deep = b"\x92\xa11" * 100_000
    with pytest.raises((LimitExceeded, InvalidMessage)):
        codec.decode(b"\x84\xa6qubits\x01\xa5slots\x90\xaaparameters\x90\xa4body" + deep, circuit.Program)


@given(st.binary(max_size=200))
def test_decoding_raises_nothing_else(junk: bytes) -> None:
    for unpack in (codec.unpack_up, codec.unpack_down):
        try:
            unpack(junk)
        except RemoteError as error:
            assert isinstance(error, InvalidMessage | LimitExceeded)  # noqa: PT017 - either will do


def test_every_limit_is_positive_and_documented_by_its_name() -> None:
    assert all(getattr(LIMITS, name) > 0 for name in Limits.__dataclass_fields__)
    assert LIMITS.hello_bytes <= LIMITS.frame_bytes
    assert LIMITS.chunk_bytes < LIMITS.frame_bytes < LIMITS.artefact_bytes


# ── errors ──────────────────────────────────────────────────────────────────────────────────


def _family(base: type[WireError]) -> set[type[WireError]]:
    found = {base}
    for child in base.__subclasses__():
        found |= _family(child)
    return found


def test_every_error_is_either_ours_or_theirs_and_speaks() -> None:
    ours, theirs = _family(LocalError), _family(RemoteError)
    assert ours | theirs == _family(WireError) - {WireError}
    assert not ours & theirs
    for kind in ours | theirs:
        made = kind("", code="invalid") if issubclass(kind, Refused) else kind()
        assert issubclass(kind, Refused) or str(made)
    assert Untrusted("no").code == "untrusted"


# ── workloads, circuits, profiles, the API ──────────────────────────────────────────────────


@given(st.integers(0, 2**63), st.integers(0, 10**6), st.integers(0, 10**6))
def test_block_seeds_are_63_bits_and_depend_on_each_number(job: int, item: int, block: int) -> None:
    seed = workload.block_seed(job, item, block)
    assert 0 <= seed < 1 << 63
    others = {
        workload.block_seed(job + 1, item, block),
        workload.block_seed(job, item + 1, block),
        workload.block_seed(job, item, block + 1),
    }
    assert seed not in others
    assert len(others) == 3


def test_block_seeds_never_change() -> None:
    assert workload.block_seed(1, 2, 3) == 5244251676753112064


def test_a_program_knows_its_outputs() -> None:
    bits = circuit.ClassicalType("bit", 3)
    program = circuit.Program(
        qubits=3,
        slots=(
            circuit.Slot("hidden", bits),
            circuit.Slot("c", bits, output=True),
            circuit.Slot("d", circuit.ClassicalType("bit", 2), output=True),
        ),
        parameters=(),
        body=(circuit.Gate("h", (0,)),),
    )
    assert program.outputs == (1, 2)
    assert program.output_bits == 5
    decoded: circuit.Program = codec.decode(codec.encode(program), circuit.Program)
    assert decoded == program


GOOD = """
name = "x"
version = 1
description = "a box"
engines = ["qulacs"]
[recognise]
[budget]
workers = 1
task_memory_mib = 100
max_qubits = 20
max_shots = 1000
task_seconds = 60
disk_mib = 100
disk_reserve_mib = 10
"""


def test_a_profile_reads_and_has_safe_defaults() -> None:
    read = profile.parse_profile(GOOD, source="x.toml")
    assert read.security.suites == ("qfleet1",)
    assert read.security.rekey_minutes == 60
    assert not read.security.require_preshared_key


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD.replace("workers", "worker"), "x.toml: .*`worker`.*did you mean `workers`"),
        (GOOD + "[security]\nsuitess = []\n", "did you mean `suites`"),
        (GOOD + "[zzzzzzzz]\n", "unknown field `zzzzzzzz`[^;]*$"),
        (GOOD.replace("= 100\n", '= "many"\n'), "Expected `int`"),
        ("a = ", "x.toml: not valid TOML"),
        ("", "missing required field"),
    ],
)
def test_a_wrong_profile_names_the_key_and_its_nearest_match(text: str, complaint: str) -> None:
    with pytest.raises(InvalidSpecification, match=complaint):
        profile.parse_profile(text, source="x.toml")


def test_the_api_refuses_unknown_fields_and_survives_a_round_trip() -> None:
    request = api.JobRequest(kind="circuit.sample", program="x", shots=5, name=JobId("n"))
    assert msgspec.json.decode(msgspec.json.encode(request), type=api.JobRequest) == request
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(b'{"kind":"circuit.sample","shot":5}', type=api.JobRequest)
    assert frozenset(msgspec.inspect.type_info(api.JobStatus).values) > api.FINISHED  # type: ignore[attr-defined]  # a LiteralType has values
