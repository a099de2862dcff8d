"""What a control plane sees of a user's file: a real client, and a listener that keeps every byte it gets."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from tests.unit.applications.healthcare_site_engine import here
from typer.testing import CliRunner

from qfleet import errors
from qfleet.command import tools
from qfleet_applications.healthcare import cohorts
from qfleet_applications.healthcare.command import application
from qfleet_applications.healthcare.screening import ScreenStudy
from qfleet_wire.channel.auditing import Computed

_LIMIT_S = 60.0


class Listener(HTTPServer):
    """Refuses every request, and keeps it; ``connections`` counts those that sent nothing too."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Refusing)

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002 - as the server's
        self.connections += 1
        return True


class _Refusing(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.heard.append(f"{self.path}\n{self.headers}\n".encode() + self.rfile.read(length))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the names that the server calls

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """The control plane that is configured; the local engine runs in this process."""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("qft_" + "0" * 43)
    with Listener() as opened:
        serving = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        monkeypatch.setenv("QFLEET_URL", f"http://127.0.0.1:{opened.server_port}")
        monkeypatch.setenv("QFLEET_TOKEN_FILE", str(token))
        monkeypatch.setattr(tools, "compute", lambda work: (Computed("qulacs", "1", "here", here(work)), ""))
        yield opened
        opened.shutdown()
        serving.join(_LIMIT_S)


def patients(file: Path) -> Path:
    drawn = np.random.default_rng(4)
    rows = [f"Ms. {at},{drawn.normal(60, 8):.6f},{drawn.normal():.6f},{at % 2},{at + 1}" for at in range(40)]
    file.write_text("\n".join(["record,age [year],marker,label,time [day]", *rows]) + "\n")
    return file


@pytest.mark.parametrize(
    "command",
    [
        ["screen", "--features", "age [year],marker"],
        ["features", "--columns", "age [year],marker", "--number", "1"],
        ["survival-risk", "--label", "label", "--features", "age [year],marker", "--components", "2"],
    ],
    ids=lambda command: command[0],
)
def test_of_a_users_file_not_one_byte_is_sent(tmp_path: Path, listener: Listener, command: list[str]) -> None:
    file = patients(tmp_path / "own.csv")
    for more in (["--json"], ["--plan"]):
        ended = CliRunner().invoke(application, [command[0], str(file), *command[1:], *more])
        assert ended.exit_code == 0, ended.output
        assert "Ms." not in ended.output
        if more == ["--json"]:
            report = json.loads(ended.stdout)
            assert report["settings"]["placement"] == "data-local"
            assert report["jobs"] == []
            assert {one["where"] for one in report["comparisons"]} == {"on this machine"}
    assert listener.heard == []
    assert listener.connections == 0


def test_the_same_listener_hears_the_angles_of_every_row_once_the_user_says_so(
    tmp_path: Path, listener: Listener
) -> None:
    file = patients(tmp_path / "own.csv")
    asked = ["screen", str(file), "--features", "age [year],marker", "--placement", "fleet"]
    ended = CliRunner().invoke(application, asked)
    assert isinstance(ended.exception, errors.QFleetError)
    assert listener.connections > 0
    heard = b"".join(listener.heard)
    cohort = cohorts.load(file, ("label", ""), ("age [year]", "marker"), bytes(32))
    numbers = set(map(float, re.findall(rb"-?\d+\.\d+(?:e-?\d+)?", heard)))
    assert set(ScreenStudy(cohort).reduction.angles[0].ravel().tolist()) - {0.0, 1.0} <= numbers
    assert b"Ms." not in heard
