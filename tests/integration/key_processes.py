"""Two real key deliveries on this machine, over TLS, with the same key material."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.integration.key_stores import LEFT, RIGHT

from qfleet_agent import command

APPLICATIONS = {LEFT: ("alice", "https://site.example/anna"), RIGHT: ("bob", "carol")}
MARK = "Keys are delivered at https://127.0.0.1:"


class Site(NamedTuple):
    """A device: its name, its folder, and the certificates of both sites."""

    name: str
    folder: Path
    certificates: Path

    @property
    def config(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def configure(self, peer: str, more: str = "") -> None:
        self.folder.mkdir()
        self.config.write_text(
            f"""
            state = "{self.state}"
            [keys]
            port = 0
            device = "{self.name}"
            certificate_file = "{self.certificates}/server.crt"
            key_file = "{self.certificates}/server.key"
            client_ca_file = "{self.certificates}/ca.crt"
            applications = {list(APPLICATIONS[self.name])}
            socket = "{self.folder}/peer.sock"
            {more}
            [keys.peers.{peer}]
            applications = {list(APPLICATIONS[peer])}
            socket = "{self.folder.parent}/{peer}/peer.sock"
            """
        )

    def load(self, peer: str, file: Path) -> None:
        assert command.main(["keys", "load", "--config", str(self.config), peer, str(file)]) == 0


class Served(NamedTuple):
    """A running key delivery."""

    site: Site
    process: subprocess.Popen[str]
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, rest: str) -> str:
        return f"https://{self.host}/api/v1/keys/{rest}"

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def stop(self) -> int:
        self.process.terminate()
        return self.end()

    def end(self) -> int:
        code = self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def prepare(folder: Path, more: str = "", size: int = 200_000) -> tuple[Site, Site]:
    """Make certificates, configurations, and key material that both devices load from a file."""
    certificates = folder / "certificates"
    every = [one for names in APPLICATIONS.values() for one in names]
    options = [word for one in every for word in ("--application", one)]
    made = ["keys", "certificates", str(certificates), "--host", "127.0.0.1", "--host", "localhost"]
    assert command.main([*made, *options]) == 0
    left = Site(LEFT, folder / LEFT, certificates)
    right = Site(RIGHT, folder / RIGHT, certificates)
    shared = folder / "shared"
    shared.write_bytes(random.Random(14).randbytes(size))
    for site, peer in ((left, RIGHT), (right, LEFT)):
        site.configure(peer, more)
        site.load(peer, shared)
    return left, right


def serve(site: Site) -> Served:
    """Start a key delivery; return when it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "qfleet_agent", "keys", "serve", "--config", str(site.config)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NOTIFY_SOCKET": ""},
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if MARK in line:
            return Served(site, process, int(line.split(MARK)[1].split(".")[0]))
    process.wait()
    process.stderr.close()
    raise AssertionError("".join(said))
