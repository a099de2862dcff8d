"""Every answer is one that our OpenAPI description has, whatever is asked."""

import asyncio
import json
import urllib.parse
import uuid
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from tests.integration.key_sites import sites

from qfleet_agent.delivery import openapi
from qfleet_agent.delivery.application import CALLER, Application
from qfleet_agent.delivery.requests import Bounds

DESCRIPTION = json.loads(json.dumps(openapi.describe("1", Bounds())))

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_SAE = st.sampled_from(["bob", "carol", "anna", "alice", "nobody", "ä/b"]) | st.text(max_size=4)
_SIZES = st.sampled_from([8, 64, 100, 128, 256, 1024, 65_536]) | st.integers(-5, 70_000)
_KEY = st.uuids().map(str) | st.text(max_size=4)
_ENC = st.fixed_dictionaries(
    {},
    optional={
        "number": st.integers(-1, 130) | _JSON,
        "size": _SIZES | _JSON,
        "additional_slave_SAE_IDs": st.lists(_SAE, max_size=10) | _JSON,
        "extension_mandatory": st.lists(st.dictionaries(st.text(max_size=3), _JSON), max_size=2) | _JSON,
        "extension_optional": st.lists(st.dictionaries(st.text(max_size=3), _JSON), max_size=2) | _JSON,
    },
)
_DEC = st.fixed_dictionaries({"key_IDs": st.lists(st.fixed_dictionaries({"key_ID": _KEY}), max_size=3)})
_ASKED = st.one_of(
    st.tuples(st.just("GET"), st.just("status"), st.none(), st.none()),
    st.tuples(
        st.just("GET"),
        st.just("enc_keys"),
        st.fixed_dictionaries({}, optional={"number": st.integers(-1, 130), "size": _SIZES}),
        st.none(),
    ),
    st.tuples(st.just("POST"), st.just("enc_keys"), st.none(), _ENC | _JSON),
    st.tuples(
        st.just("GET"), st.just("dec_keys"), st.fixed_dictionaries({}, optional={"key_ID": _KEY}), st.none()
    ),
    st.tuples(st.just("POST"), st.just("dec_keys"), st.none(), _DEC | _JSON),
)
Asked = tuple[str, str, dict[str, Any] | None, Any]


async def call(application: Application, caller: str, sae: str, asked: Asked) -> tuple[int, bytes]:
    method, name, query, body = asked
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    path = f"/api/v1/keys/{urllib.parse.quote(sae, safe='')}/{name}"
    scope = {
        "method": method,
        "path": urllib.parse.unquote(path),
        "raw_path": path.encode(),
        "query_string": urllib.parse.urlencode(query or {}).encode(),
        "headers": [(b"content-type", b"application/json")],
        "state": {CALLER: caller},
    }
    await application(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def check(asked: Asked, status: int, body: bytes) -> None:
    path = next(path for path in DESCRIPTION["paths"] if path.endswith("/" + asked[1]))
    responses = DESCRIPTION["paths"][path][asked[0].lower()]["responses"]
    if str(status) == "404":  # an empty id makes a path that there is not
        return
    content = responses[str(status)].get("content")
    if content is None:
        assert body == b""
        return
    schema = {**content["application/json"]["schema"], "components": DESCRIPTION["components"]}
    jsonschema.validate(json.loads(body), schema)


def test_the_description_is_openapi() -> None:
    validate(DESCRIPTION)


def test_every_answer_is_described(tmp_path: Path) -> None:
    seen: set[tuple[str, int]] = set()

    async def scenario() -> None:
        async with sites(tmp_path) as both:
            await both.ends.fill(1, 262_144)
            applications = {"alice": Application(both.left), "bob": Application(both.right)}
            runner = asyncio.get_running_loop()

            @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(st.sampled_from(["alice", "bob", "mallory"]), _SAE, _ASKED)
            def ask(caller: str, sae: str, asked: Asked) -> None:
                application = applications.get(caller, applications["alice"])
                made = call(application, caller, sae, asked)
                status, body = asyncio.run_coroutine_threadsafe(made, runner).result(30)
                check(asked, status, body)
                seen.add((asked[1], status))

            await asyncio.to_thread(ask)
            (given_,) = json.loads((await call(applications["alice"], "alice", "bob", _ENCRYPT))[1])["keys"]
            decrypt = ("GET", "dec_keys", {"key_ID": given_["key_ID"]}, None)
            status, body = await call(applications["bob"], "bob", "alice", decrypt)
            check(decrypt, status, body)
            assert json.loads(body)["keys"] == [given_]
            assert uuid.UUID(given_["key_ID"]).version == 4

    asyncio.run(scenario())
    assert {("enc_keys", 400), ("enc_keys", 401), ("dec_keys", 400)} <= seen


_ENCRYPT: Asked = ("GET", "enc_keys", {}, None)
