import contextlib
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.delivery import formats, refusals, requests
from qfleet_agent.delivery.places import Places
from qfleet_agent.delivery.requests import Bounds, Decrypt, Encrypt, Request, Status

BOUNDS = Bounds()
KEY = uuid.UUID("bc490419-7d60-487f-adc1-4ddcc177c139")


def get(path: str, query: str = "") -> Request:
    return Request("GET", f"/api/v1/keys/{path}", query, "", b"")


def post(path: str, body: object, kind: str = "application/json") -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", f"/api/v1/keys/{path}", "", kind, raw)


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (get("bob/status"), Status("bob")),
        (get("https%3A%2F%2Fa.example%2Fs%C3%A4e/status"), Status("https://a.example/säe")),
        (get("bob/enc_keys"), Encrypt("bob", (), 1, 256, ())),
        (get("bob/enc_keys", "number=3&size=1024"), Encrypt("bob", (), 3, 1024, ())),
        (post("bob/enc_keys", {}), Encrypt("bob", (), 1, 256, ())),
        (post("bob/enc_keys", b"", ""), Encrypt("bob", (), 1, 256, ())),
        (
            post("bob/enc_keys", {"number": 20, "size": 512, "additional_slave_SAE_IDs": ["carol"]}),
            Encrypt("bob", ("carol",), 20, 512, ()),
        ),
        (
            post("bob/enc_keys", {"extension_optional": [{"x_route": "direct"}], "extension_mandatory": []}),
            Encrypt("bob", (), 1, 256, ("x_route",)),
        ),
        (get("alice/dec_keys", f"key_ID={KEY}"), Decrypt("alice", (KEY.bytes,))),
        (
            post("alice/dec_keys", {"key_IDs": [{"key_ID": str(KEY), "key_ID_extension": {}}]}),
            Decrypt("alice", (KEY.bytes,)),
        ),
    ],
)
def test_requests_of_the_standard_are_read(request_: Request, asked: object) -> None:
    assert requests.read(request_, BOUNDS) == asked


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        (get("bob/enc_keys", "size=257"), 400, "size shall be a multiple of 8"),
        (get("bob/enc_keys", "size=8"), 400, "min_key_size"),
        (get("bob/enc_keys", "size=65544"), 400, "max_key_size"),
        (get("bob/enc_keys", "number=0"), 400, "max_key_per_request, 128"),
        (get("bob/enc_keys", "number=129"), 400, "max_key_per_request, 128"),
        (get("bob/enc_keys", "number=-1"), 400, "whole number"),
        (get("bob/enc_keys", "number=9999999999"), 400, "whole number"),
        (get("bob/enc_keys", "number=1&number=2"), 400, "twice"),
        (get("bob/enc_keys", "number"), 400, "name=value"),
        (get("bob/enc_keys", "additional_slave_SAE_IDs=carol"), 400, "only number and size"),
        (get("bob/status", "size=8"), 400, "no parameter"),
        (get("alice/dec_keys"), 400, "needs the parameter key_ID"),
        (get("alice/dec_keys", f"key_ID={KEY}&size=8"), 400, "only key_ID"),
        (get("alice/dec_keys", "key_ID=1"), 400, "not a UUID"),
        (get("/status"), 400, "1 to 255"),
        (get("a%00b/status"), 400, "printable"),
        (get("%FF/status"), 400, "UTF-8"),
        (get("bob/keys"), 404, "enc_keys"),
        (get("bob/x/enc_keys"), 404, "enc_keys"),
        (Request("GET", "/", "", "", b""), 404, "enc_keys"),
        (post("bob/status", {}), 405, "status takes GET"),
        (Request("DELETE", "/api/v1/keys/bob/enc_keys", "", "", b""), 405, "GET and POST"),
        (post("bob/enc_keys", {"number": "3"}), 400, "Expected `int`"),
        (post("bob/enc_keys", {"nummer": 3}), 400, "did you mean `number`?"),
        (post("bob/enc_keys", {"additional_slave_SAE_IDs": "carol"}), 400, "Expected `array`"),
        (post("bob/enc_keys", {"additional_slave_SAE_IDs": ["c"] * 9}), 400, "max_SAE_ID_count, 8"),
        (post("bob/enc_keys", {"size": 100}), 400, "size shall be a multiple of 8"),
        (post("bob/enc_keys", {"extension_mandatory": [{"x": 1}]}), 400, refusals.UNSUPPORTED),
        (post("bob/enc_keys", b"{"), 400, "truncated"),
        (post("bob/enc_keys", b'{"number": "\xff"}'), 400, ""),
        (post("bob/enc_keys", {}, "text/plain"), 400, "application/json"),
        (post("bob/enc_keys", b'{"extension_optional": [{"a": ' + b"[" * 5000), 400, "nested"),
        (post("bob/enc_keys", b" " * 70_000 + b"{}"), 400, "65536 bytes"),
        (post("alice/dec_keys", {}), 400, "key_IDs"),
        (post("alice/dec_keys", {"key_IDs": []}), 400, "max_key_per_request"),
        (post("alice/dec_keys", {"key_IDs": [{"key_ID": str(KEY)}] * 129}), 400, "max_key_per_request"),
    ],
)
def test_what_the_standard_does_not_have_is_refused(request_: Request, status: int, said: str) -> None:
    with pytest.raises(refusals.Refused) as caught:
        requests.read(request_, BOUNDS)
    assert caught.value.status == status
    assert said in caught.value.message


def test_mandatory_extensions_are_named_in_the_refusal() -> None:
    with pytest.raises(refusals.BadRequest) as caught:
        requests.read(post("bob/enc_keys", {"extension_mandatory": [{"abc_route": "x"}, {"d": 1}]}), BOUNDS)
    assert caught.value.message == "not all extension_mandatory parameters are supported"
    assert [list(one.values()) for one in caught.value.details] == [
        ["abc_route is not supported"],
        ["d is not supported"],
    ]


@given(st.sampled_from(["GET", "POST", "PUT"]), st.text(), st.text(), st.binary() | st.text().map(str.encode))
def test_nothing_that_comes_raises_anything_else(method: str, path: str, query: str, body: bytes) -> None:
    for whole in (path, f"/api/v1/keys/{path}/enc_keys", f"/api/v1/keys/{path}/dec_keys"):
        with contextlib.suppress(refusals.Refused):
            requests.read(Request(method, whole, query, "application/json", body), BOUNDS)


_JSON = st.recursive(
    st.none() | st.sampled_from(["", "[", '"{', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("a{"), inner),
    max_leaves=20,
)


@given(_JSON)
def test_depth_is_never_underestimated(value: object) -> None:
    def real(one: object) -> int:
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
        return 0 if inner is None else 1 + max(map(real, inner), default=0)

    assert requests.depth(json.dumps(value).encode()) >= min(real(value), 10_000)
    nested: object = value
    for _ in range(20):
        nested = [nested]
    assert requests.depth(json.dumps(nested).encode()) == real(nested)


def test_recipients_are_sorted_by_where_they_are() -> None:
    places = Places(frozenset({"a", "b"}), {"x": "right", "y": "right", "z": "other"})
    assert places.recipients("a", "x", ["y", "b", "y", "x"]) == ("right", ("x", "y"), ("b",))
    for slave, additional, said in [
        ("q", [], "not known"),
        ("b", [], "this KME itself"),
        ("x", ["z"], "neither at this KME"),
        ("x", ["q"], "neither at this KME"),
        ("x", ["a"], "the master itself"),
    ]:
        with pytest.raises(refusals.BadRequest, match=said):
            places.recipients("a", slave, additional)
    for stranger in (None, "x"):
        with pytest.raises(refusals.Unauthorized):
            places.admit(stranger)


def test_a_key_never_shows_in_a_text_of_a_container() -> None:
    assert "c2VjcmV0" not in repr(formats.KeyContainer((formats.Key(str(KEY), "c2VjcmV0"),)))
