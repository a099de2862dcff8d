"""The commands of ``docs/key-delivery.md``, as they stand there but for ports."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qfleet_agent import settings
from qfleet_agent.key_settings import Keys
from qfleet_agent.keystore.states import STEPS, State

PAGE = (Path(__file__).parents[2] / "docs" / "key-delivery.md").read_text()
TRIED = PAGE.partition("## Try it")[2].partition("\n## ")[0]


@contextlib.contextmanager
def free_ports() -> Iterator[list[int]]:
    """Two ports that nobody else is given: bound here, and listened on by the servers alone."""
    held = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(2)]
    for one in held:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
    yield [one.getsockname()[1] for one in held]
    for one in held:
        one.close()


def with_ports(text: str, ports: list[int]) -> str:
    return text.replace("8014", str(ports[0])).replace("8015", str(ports[1]))


def prepare(folder: Path, ports: list[int]) -> str:
    """Write the page's configurations, and return its commands as one script."""
    for text in re.findall(r"```toml\n(.*?)```", TRIED, re.DOTALL):
        name = re.match(r"# (\S+)", text)
        assert name is not None
        (folder / name[1]).write_text(with_ports(text, ports))
    lines = [
        line.removeprefix("$ ")
        for block in re.findall(r"```console\n(.*?)```", TRIED, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    bin_ = folder / "bin"
    bin_.mkdir()
    (bin_ / "qfleet-agent").write_text(f'#!/bin/sh\nexec {sys.executable} -m qfleet_agent "$@"\n')
    (bin_ / "qfleet-agent").chmod(0o755)
    script = "\n".join(["set -e", 'trap "kill \\$A \\$B 2> /dev/null || true" EXIT', *lines, "wait"])
    return with_ports(script, ports)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's commands need curl")
def test_the_commands_of_the_page_deliver_a_key(tmp_path: Path) -> None:
    with free_ports() as ports:
        script = prepare(tmp_path, ports)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "NOTIFY_SOCKET": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert '"stored_key_count":1562' in done.stdout
    assert '{"message":"one or more keys specified are not found on KME"}' in done.stdout
    keys = [json.loads((tmp_path / name).read_text()) for name in ("key.json", "same.json", "three.json")]
    assert keys[0] == keys[1]
    assert len(keys[2]["keys"]) == 3
    assert json.loads(done.stdout[done.stdout.index('{\n  "links"') :])["links"]["ground-b"]["ours"] == (
        50_000 - 32 - 3 * 64
    )
    assert not (tmp_path / "shared.bin").exists()


def test_every_setting_is_on_the_page() -> None:
    table = PAGE.partition("## Settings")[2]
    for field in Keys.__struct_fields__:
        assert f"`{field}`" in table or f"[{field}." in table or f"keys.{field}." in table, field
    assert settings.Settings().keys.port == 8014


def test_the_life_of_a_block_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^    (\S+) --> (\w+): (.+)$", PAGE, re.MULTILINE)
    table = [
        ("[*]" if state is State.UNKNOWN else state.value, after.value, step.value)
        for (state, step), after in STEPS.items()
    ]
    assert drawn == table
