"""The standard over TLS, asked by clients that know nothing of us: curl, and a client from PyPI."""

import base64
import json
import socket
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from etsi_qkd_014_client import QKD014Client
from tests.integration import key_processes
from tests.integration.key_processes import Served
from tests.integration.key_stores import LEFT, RIGHT

from qfleet_agent import command

STATUS = {
    "source_KME_ID",
    "target_KME_ID",
    "master_SAE_ID",
    "slave_SAE_ID",
    "key_size",
    "stored_key_count",
    "max_key_count",
    "max_key_per_request",
    "max_key_size",
    "min_key_size",
    "max_SAE_ID_count",
}
ANNA = "https%3A%2F%2Fsite.example%2Fanna"
ANNA_FILE = "https___site.example_anna"


class Pair(NamedTuple):
    left: Served
    right: Served


class Reply(NamedTuple):
    status: int
    kind: str
    body: str

    @property
    def read(self) -> Any:
        assert self.kind == "application/json"
        return json.loads(self.body)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    left, right = map(key_processes.serve, key_processes.prepare(tmp_path_factory.mktemp("keys")))
    yield Pair(left, right)
    assert [left.stop(), right.stop()] == [0, 0]


def curl(served: Served, who: str, rest: str, *more: str) -> Reply:
    folder = served.site.certificates
    done = run_curl(
        folder,
        ["--cert", f"{folder}/{who}.crt", "--key", f"{folder}/{who}.key"],
        ["--write-out", "\n%{http_code} %{content_type}", *more, served.url(rest)],
    )
    assert done.returncode == 0, done.stderr
    body, _, last = done.stdout.rpartition("\n")
    status, _, kind = last.partition(" ")
    return Reply(int(status), kind, body)


def run_curl(certificates: Path, *options: list[str]) -> subprocess.CompletedProcess[str]:
    words = ["curl", "-sS", "--max-time", "20", "--cacert", f"{certificates}/ca.crt"]
    for some in options:
        words += some
    return subprocess.run(words, capture_output=True, text=True, check=False)


def post(served: Served, who: str, rest: str, body: object) -> Reply:
    return curl(served, who, rest, "--header", "Content-Type: application/json", "--data", json.dumps(body))


def test_curl_gets_the_same_key_at_both_ends(pair: Pair) -> None:
    status = curl(pair.left, "alice", "bob/status").read
    assert set(status) == STATUS
    assert (status["source_KME_ID"], status["target_KME_ID"]) == (LEFT, RIGHT)
    given = curl(pair.left, "alice", "bob/enc_keys?number=2&size=512").read
    ids = [key["key_ID"] for key in given["keys"]]
    assert [len(base64.b64decode(key["key"])) for key in given["keys"]] == [64, 64]
    assert list(given) == ["keys"]
    first = curl(pair.right, "bob", f"alice/dec_keys?key_ID={ids[0]}").read
    second = post(pair.right, "bob", "alice/dec_keys", {"key_IDs": [{"key_ID": ids[1]}]}).read
    assert first["keys"] + second["keys"] == given["keys"]
    after = curl(pair.left, "alice", "bob/status").read
    assert after["stored_key_count"] == status["stored_key_count"] - 4


def test_an_unknown_key_is_400_with_the_words_of_the_standard(pair: Pair) -> None:
    key = curl(pair.left, "alice", "bob/enc_keys").read["keys"][0]["key_ID"]
    assert curl(pair.right, "bob", f"alice/dec_keys?key_ID={key}").status == 200
    for name in (key, str(uuid.UUID(int=7))):
        reply = curl(pair.right, "bob", f"alice/dec_keys?key_ID={name}")
        assert (reply.status, reply.read) == (
            400,
            {"message": "one or more keys specified are not found on KME"},
        )


def test_who_was_not_named_gets_401_without_a_body(pair: Pair) -> None:
    key = curl(pair.left, "alice", "bob/enc_keys").read["keys"][0]["key_ID"]
    assert curl(pair.right, "carol", f"alice/dec_keys?key_ID={key}") == (401, "", "")
    assert curl(pair.right, "alice", f"alice/dec_keys?key_ID={key}") == (401, "", "")
    assert curl(pair.left, "bob", "bob/enc_keys") == (401, "", "")
    assert curl(pair.left, "bob", "bob/status") == (401, "", "")
    assert curl(pair.right, "bob", f"alice/dec_keys?key_ID={key}").status == 200


def test_the_standard_s_refusals_have_its_words(pair: Pair) -> None:
    reply = curl(pair.left, "alice", "bob/enc_keys?size=100")
    assert (reply.status, reply.read) == (400, {"message": "size shall be a multiple of 8"})
    reply = post(pair.left, "alice", "bob/enc_keys", {"extension_mandatory": [{"abc_route": "direct"}]})
    assert reply.status == 400
    assert reply.read == {
        "message": "not all extension_mandatory parameters are supported",
        "details": [{"extension_mandatory_unsupported": "abc_route is not supported"}],
    }
    reply = post(pair.left, "alice", "bob/enc_keys", {"extension_optional": [{"abc_route": "direct"}]})
    assert reply.status == 200
    assert reply.read["key_container_extension"]["message"] == (
        "not all extension_optional request options handled"
    )
    assert curl(pair.left, "alice", "mallory/status").status == 400
    assert curl(pair.left, "alice", "bob/other").status == 404
    assert curl(pair.left, "alice", "bob/status", "--request", "DELETE").status == 405
    long = json.dumps({"additional_slave_SAE_IDs": ["x" * 70_000]})
    header = ("--header", "Content-Type: application/json")
    assert curl(pair.left, "alice", "bob/enc_keys", *header, "--data", long).status == 400


def test_more_keys_than_there_are_is_503_and_costs_none(pair: Pair) -> None:
    before = curl(pair.left, "alice", "bob/status").read["stored_key_count"]
    reply = post(pair.left, "alice", "bob/enc_keys", {"number": 128, "size": 65_536})
    assert reply.status == 503
    assert "not enough keys" in reply.read["message"]
    assert curl(pair.left, "alice", "bob/status").read["stored_key_count"] == before


def test_an_id_that_is_a_uri_is_url_encoded_in_the_path(pair: Pair) -> None:
    given = curl(pair.right, "bob", f"{ANNA}/enc_keys").read
    fetched = curl(pair.left, ANNA_FILE, f"bob/dec_keys?key_ID={given['keys'][0]['key_ID']}").read
    assert fetched == given
    assert curl(pair.right, "bob", f"{ANNA}/status").read["slave_SAE_ID"] == "https://site.example/anna"


def test_additional_slaves_get_the_key_too(pair: Pair) -> None:
    body = {"additional_slave_SAE_IDs": ["carol", "https://site.example/anna"]}
    given = post(pair.left, "alice", "bob/enc_keys", body).read
    key = f"alice/dec_keys?key_ID={given['keys'][0]['key_ID']}"
    for served, who in ((pair.right, "bob"), (pair.right, "carol"), (pair.left, ANNA_FILE)):
        assert curl(served, who, key).read == given
        assert curl(served, who, key).status == 400


def test_a_client_from_pypi_is_served(pair: Pair) -> None:
    def client(served: Served, who: str) -> QKD014Client:
        folder = served.site.certificates
        return QKD014Client(served.host, f"{folder}/{who}.crt", f"{folder}/{who}.key", f"{folder}/ca.crt")

    alice, bob = client(pair.left, "alice"), client(pair.right, "bob")
    code, status = alice.get_status("bob")
    assert (code, status.master_sae_id, status.key_size) == (200, "alice", 256)
    code, simple = alice.get_key("bob")
    assert (code, len(simple.keys)) == (200, 1)
    code, more = alice.get_key("bob", 3, 128, ["carol"], None, [{"x": 1}])
    assert (code, len(more.keys)) == (200, 3)
    given = {key.key_id: key.key for key in (*simple.keys, *more.keys)}
    code, fetched = bob.get_key_with_key_IDs("alice", list(given))
    assert code == 200
    assert {key.key_id: key.key for key in fetched.keys} == given
    code, error = bob.get_key_with_key_IDs("alice", list(given))
    assert (code, error.message) == (400, "one or more keys specified are not found on KME")
    code, error = alice.get_key("bob", size=7)
    assert (code, error.message) == (400, "size shall be a multiple of 8")
    # It reads every answer as JSON; the standard's 401 has no body, and the standard wins.
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client(pair.left, "bob").get_status("bob")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--cert", "{other}/eve.crt", "--key", "{other}/eve.key"],
        ["--cert", "{ours}/server.crt", "--key", "{ours}/server.key"],
        ["--cert", "{ours}/alice.crt", "--key", "{ours}/alice.key", "--tls-max", "1.2"],
    ],
    ids=["no certificate", "another CA", "a server's certificate", "TLS 1.2"],
)
def test_tls_lets_nobody_in_who_is_not_proved(pair: Pair, tmp_path: Path, options: list[str]) -> None:
    other, ours = tmp_path / "other", pair.left.site.certificates
    assert command.main(["keys", "certificates", str(other), "--application", "eve"]) == 0
    words = [word.format(other=other, ours=ours) for word in options]
    done = run_curl(ours, words, ["--write-out", "%{http_code}", pair.left.url("bob/status")])
    assert done.returncode != 0
    assert done.stdout == "000"  # no answer of HTTP at all


def test_a_request_that_does_not_end_is_cut_off(pair: Pair) -> None:
    folder = pair.left.site.certificates
    trust = ssl.create_default_context(cafile=folder / "ca.crt")
    trust.load_cert_chain(folder / "alice.crt", folder / "alice.key")
    with (
        socket.create_connection(("127.0.0.1", pair.left.port), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as line,
    ):
        line.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\nX-Long: ")
        try:
            for _ in range(100):
                line.sendall(b"x" * 65_536)
            said = line.recv(1000)
        except OSError:
            said = b""
    assert said == b""
    assert curl(pair.left, "alice", "bob/status").status == 200
