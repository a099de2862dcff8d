"""Which key of a key delivery a device offers, when it goes on without, and what it says of it."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.test_agent_handshakes import Device, kind

from qfleet_agent.command import check
from qfleet_agent.daemon import mixing
from qfleet_agent.journal.layout import Name
from qfleet_agent.link.supply import Supply
from qfleet_agent.settings import Settings
from qfleet_wire import key_delivery
from qfleet_wire.channel import frames
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.errors import KeyNotDelivered, PresharedKeyMissing
from qfleet_wire.key_delivery import Key
from qfleet_wire.profile import Mixing, Security

GIVEN = tuple(Key(f"id-{number}", bytes([64 + number]) * 32) for number in range(4))
SILENT = "the key delivery at https://here:1 does not answer"


class Giver:
    """A key delivery that gives each key once, while it is there."""

    def __init__(self) -> None:
        self.given = 0
        self.silent = False

    def take(self) -> Key:
        """Give the next."""
        if self.silent:
            raise KeyNotDelivered(SILENT)
        self.given += 1
        return GIVEN[self.given - 1]


class Mixer(Device):
    """A device whose sessions mix delivered keys; its controller gets the same at its own site."""

    def __init__(self, demand: Mixing) -> None:
        self.giver, self.demand = Giver(), demand
        super().__init__(required=False)
        self.controller.ring = Ring(PresharedKey(f"qkd:{key.id}", key.secret) for key in GIVEN)

    def supply(self) -> Supply:
        """Of the key delivery at its site."""
        return Supply(self.demand, self.giver.take)

    def security(self) -> Security:
        """What its profile demands."""
        return mixing.demanded(Security(quantum_key=self.demand))

    def ask(self) -> bytes:
        """Ask for a session, with a key where one is wanted."""
        return asyncio.run(self.handshakes.ask())

    def mix(self) -> bytes:
        """Open a session; return what was asked."""
        frame = self.ask()
        assert asyncio.run(self.handshakes.finish(self.reply(frame))) is not None
        return frame

    def turned_away(self) -> None:
        """Ask, be refused by the controller itself, and give up."""
        refusal = frames.read(self.reply(self.ask()), frames.Refusal)
        assert refusal.code == "preshared-key"
        assert self.handshakes.refused(refusal)
        self.handshakes.failed()


@pytest.mark.parametrize("demand", ["prefer", "require"])
def test_a_session_mixes_a_key_and_its_descendants_need_no_other(demand: Mixing) -> None:
    device = Mixer(demand)
    assert device.offered(device.mix()) == "qkd:id-0"
    assert device.handshakes.quantum_key == f"mixed in ({demand})"
    device.start()
    assert kind(device.mix()) is frames.Kind.RESUME
    assert device.handshakes.quantum_key == f"mixed in ({demand})"
    assert (device.giver.given, device.used) == (1, [])
    device.journal[Name.RESUMPTION] = None
    device.start()
    assert device.offered(device.mix()) == "qkd:id-1"


def test_a_key_that_nobody_has_used_is_offered_again_and_lost_with_the_process() -> None:
    device = Mixer("require")
    for _ in range(3):
        assert device.offered(device.ask()) == "qkd:id-0"
        device.handshakes.failed()
    device.start()
    assert device.offered(device.ask()) == "qkd:id-1"


def test_with_require_nothing_is_asked_for_without_a_key() -> None:
    device = Mixer("require")
    device.giver.silent = True
    with pytest.raises(PresharedKeyMissing, match=f"requires a key of the key delivery: {SILENT}"):
        device.ask()
    assert device.handshakes.quantum_key == f"NOT mixed in (require): {SILENT}"
    device.giver.silent = False
    assert device.offered(device.mix()) == "qkd:id-0"


def test_with_prefer_it_goes_on_without_says_so_and_mixes_again_at_the_next_opening() -> None:
    device = Mixer("prefer")
    device.giver.silent = True
    assert device.offered(device.mix()) is None
    assert device.handshakes.quantum_key == f"NOT mixed in (prefer): {SILENT}"
    device.giver.silent = False
    device.start()
    assert device.offered(device.mix()) == "qkd:id-0"  # no resumption of a session without
    assert device.handshakes.quantum_key == "mixed in (prefer)"


def test_a_key_that_the_controller_does_not_get_is_dropped() -> None:
    device = Mixer("prefer")
    device.controller.ring.take("qkd:id-0")
    device.turned_away()
    assert device.offered(device.mix()) is None
    assert device.handshakes.quantum_key == "NOT mixed in (prefer): the controller does not get key 'id-0'"
    demanding = Mixer("require")
    demanding.controller.ring.take("qkd:id-0")
    demanding.turned_away()
    assert demanding.offered(demanding.mix()) == "qkd:id-1"


def test_a_session_with_another_key_does_not_count_where_one_is_required() -> None:
    device = Mixer("prefer")
    device.giver.silent = True
    device.mix()
    device.demand = "require"
    device.start()
    with pytest.raises(PresharedKeyMissing):
        device.ask()


def test_without_a_key_delivery_a_demand_says_what_to_set_and_none_is_silent() -> None:
    assert mixing.supply("off", None).in_words("none") == ""
    words = mixing.supply("prefer", None).in_words("none")
    assert words == "NOT mixed in (prefer): no key delivery is configured ([channel.qkd])"
    assert Supply("off", Giver().take).demand == "prefer"


@pytest.mark.parametrize(
    ("status", "body", "said", "for_good"),
    [
        (200, b"{}", "not one key", False),
        (200, b'{"keys": [{"key_ID": "a", "key": "?"}]}', "not one key", False),
        (200, b'{"keys": [{"key_ID": "a", "key": "c2VjcmV0"}]}', "48 bits", False),
        (200, b'{"keys": [{"key_ID": "a b", "key": "' + b"A" * 43 + b'="}]}', "whose ID", False),
        (400, b'{"message": "one or more keys specified are not found on KME"}', "not found on KME", True),
        (401, b"", "certificate that of an application", False),
        (503, b"<html>", "503", False),
    ],
)
def test_an_answer_without_a_key_is_refused_and_never_repeated(
    status: int, body: bytes, said: str, *, for_good: bool
) -> None:
    with pytest.raises(KeyNotDelivered, match=said) as caught:
        key_delivery.read("dec_keys", status, body)
    assert caught.value.for_good is for_good
    assert "c2VjcmV0" not in str(caught.value)


def test_a_key_is_asked_for_as_the_standard_has_it_and_does_not_show() -> None:
    assert key_delivery.new_key("urn:a/b") == "/api/v1/keys/urn%3Aa%2Fb/enc_keys?number=1&size=256"
    assert key_delivery.known_key("bob", "id-1") == "/api/v1/keys/bob/dec_keys?key_ID=id-1"
    with pytest.raises(KeyNotDelivered, match="such an ID"):
        key_delivery.known_key("bob", "id?x=1")
    body = b'{"keys": [{"key_ID": "a", "key": "' + b"A" * 43 + b'="}]}'
    key = key_delivery.read("enc_keys", 200, body)
    assert key == Key("a", bytes(32))
    assert repr(key) == "Key(id='a')"


def test_a_standing_says_how_many_keys_there_are_or_why_none_fits() -> None:
    assert key_delivery.standing("a b") == "/api/v1/keys/a%20b/status"
    body = b'{"stored_key_count": 7, "min_key_size": 64, "max_key_size": %d}'
    assert key_delivery.read_standing(200, body % 256) == 7
    for status, answer, said in (
        (200, body % 128, "256 are needed"),
        (200, b"[]", "none as the standard has it"),
        (401, b"", "certificate"),
    ):
        with pytest.raises(KeyNotDelivered, match=said):
            key_delivery.read_standing(status, answer)


def test_a_check_says_what_is_missing_where_a_profile_demands_keys(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "firmware_profiles" / "generic.toml").read_text()
    for demand, verdict in (("require", "failure"), ("prefer", "warning")):
        (tmp_path / "generic.toml").write_text(f'{text}\n[security]\nquantum_key = "{demand}"\n')
        found = check.look(Settings(state=tmp_path / "none", profile="generic", profiles_dir=tmp_path))
        (one,) = [each for each in found if each.what == "quantum key"]
        assert one.verdict == verdict
        assert f"the profile says {demand}" in one.text
        assert "set [channel.qkd]" in one.text


@pytest.mark.parametrize("url", ["http://a", "https://", "https://a:0x", "https://a/b", "https://u@a", "a"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be https://HOST:PORT"):
        key_delivery.address(url)
