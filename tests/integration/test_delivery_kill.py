"""``kill -9`` of a real key delivery while applications are being answered."""

import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration import key_processes
from tests.integration.key_processes import Served

WANTED = 30
CLIENTS = 6


def connect(served: Served, who: str) -> http.client.HTTPSConnection:
    folder = served.site.certificates
    trust = ssl.create_default_context(cafile=folder / "ca.crt")
    trust.load_cert_chain(folder / f"{who}.crt", folder / f"{who}.key")
    return http.client.HTTPSConnection("127.0.0.1", served.port, context=trust, timeout=30)


def ask(line: http.client.HTTPSConnection, path: str) -> dict[str, str]:
    line.request("GET", f"/api/v1/keys/{path}")
    reply = line.getresponse()
    body = reply.read()
    assert reply.status == 200, body
    return {key["key_ID"]: key["key"] for key in json.loads(body)["keys"]}


def ask_until_killed(served: Served, given: dict[str, str], enough: threading.Event) -> None:
    line = connect(served, "alice")
    try:
        while True:
            given.update(ask(line, "bob/enc_keys?size=128"))
            if len(given) >= WANTED:
                enough.set()
    except (OSError, http.client.HTTPException):
        pass  # it was killed
    finally:
        line.close()


def test_what_was_answered_before_a_kill_is_at_the_other_end_and_never_again(tmp_path: Path) -> None:
    left, right = map(key_processes.serve, key_processes.prepare(tmp_path, size=20_000))
    given: dict[str, str] = {}
    enough = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(CLIENTS):
            pool.submit(ask_until_killed, left, given, enough)
        assert enough.wait(60)
        left.kill()
    again = key_processes.serve(left.site)
    try:
        line = connect(again, "alice")
        later: dict[str, str] = {}
        for _ in range(10):
            later.update(ask(line, "bob/enc_keys?size=128"))
        line.close()
        assert len(set(given.values()) | set(later.values())) == len(given) + len(later)
        line = connect(right, "bob")
        for name, key in (given | later).items():
            assert ask(line, f"alice/dec_keys?key_ID={name}") == {name: key}
        line.close()
    finally:
        again.stop()
        right.stop()
