"""Real WireGuard between two network namespaces; wireguard-go in user space, so that any kernel does."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

TALK = """
import socket, sys
address = (sys.argv[2], 7077)
if sys.argv[1] == "serve":
    with socket.create_server(address) as server:
        print("listening", flush=True)
        server.accept()[0].sendall(b"hello")
else:
    with socket.create_connection(address, 60) as line:
        print(line.recv(5).decode())
"""


def missing() -> str:
    """Say why real WireGuard cannot be tested here; nothing if it can."""
    needed = [name for name in ("ip", "wg", "wireguard-go") if shutil.which(name) is None]
    if needed:
        return f"real WireGuard needs {', '.join(needed)} (apt install iproute2 wireguard-tools wireguard-go)"
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "real WireGuard needs root and /dev/net/tun"
    return ""


class Space:
    """A network namespace with a WireGuard interface in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"qfleet-{os.getpid()}-{number}"
        self.secret = run("wg", "genkey")
        self.public = run("wg", "pubkey", text=self.secret)
        run("ip", "netns", "add", self.name)

    def run(self, *words: str, text: str = "") -> str:
        return run("ip", "netns", "exec", self.name, *words, text=text)

    def up(self, peer: "Space") -> None:
        """Bring the interface up: wireguard-go runs in the foreground, and is this object's."""
        self.engine = subprocess.Popen(
            ["ip", "netns", "exec", self.name, "wireguard-go", "-f", f"wg{self.number}"],
            env={**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "silent"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not Path(f"/var/run/wireguard/wg{self.number}.sock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        interface, other = f"wg{self.number}", f"10.77.0.{peer.number}"
        self.run(
            "wg", "set", interface, "private-key", "/dev/stdin", "listen-port", "51820",
            "peer", peer.public, "allowed-ips", f"{other}/32", "endpoint", f"10.66.0.{peer.number}:51820",
            text=self.secret,
        )  # fmt: skip
        self.run("ip", "address", "add", f"10.77.0.{self.number}/24", "dev", interface)
        self.run("ip", "link", "set", interface, "up")

    def preshared(self) -> str:
        return self.run("wg", "show", f"wg{self.number}", "preshared-keys").split("\t")[-1].strip()

    def hears(self, other: "Space") -> bool:
        """Whether something gets from the other end to this one through the tunnel."""
        words = [sys.executable, "-c", TALK]
        address = f"10.77.0.{other.number}"
        with subprocess.Popen(
            ["ip", "netns", "exec", other.name, *words, "serve", address], stdout=subprocess.PIPE
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"listening\n"
            try:
                return self.run(*words, "hear", address) == "hello"
            finally:
                server.kill()

    def close(self) -> None:
        if hasattr(self, "engine"):
            self.engine.terminate()
            self.engine.wait(30)
        run("ip", "netns", "delete", self.name)


def run(*words: str, text: str = "") -> str:
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()
