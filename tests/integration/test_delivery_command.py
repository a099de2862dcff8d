"""``qfleet-agent keys`` and ``qfleet-agent check``, asked rightly and wrongly."""

import builtins
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration import key_processes
from tests.integration.key_processes import Site
from tests.integration.key_stores import RIGHT

from qfleet_agent import command, settings
from qfleet_agent.delivery import looking
from qfleet_agent.errors import KeyDeliveryUnusable
from qfleet_agent.keystore import sealer

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return key_processes.prepare(tmp_path, size=1000)[0]


def keys(*words: str | Path) -> int:
    return command.main(["keys", *map(str, words)])


def test_the_status_counts_and_shows_no_key(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert keys("status", "--config", site.config) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["links"][RIGHT] == {"ours": 500, "theirs": 500, "provisional": 0, "damaged": 0}
    assert {one["what"]: one["value"] for one in said["counts"]} == {"kept": 1000, "released": 1000}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["load", "--config", "{config}", "ground-z", "{shared}"], 2, "no [keys.peers.ground-z]"),
        (["load", "--config", "{config}", RIGHT, "{folder}/nothing"], 2, "cannot be read"),
        (["load", "--config", "{config}", RIGHT, "{empty}"], 2, "2 to"),
        (["certificates", "{folder}/x", "--application", "ca"], 2, "no name for a file"),
        (["certificates", "{config}", "--application", "a"], 2, "no CA can be made here"),
        (["serve", "--config", "{empty}"], 78, "certificate_file"),
        (["serve", "--config", "{broken}"], 78, "did you mean `applications`"),
    ],
)
def test_a_command_used_wrongly_says_what_to_do(
    site: Site, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    folder = site.folder.parent
    (folder / "empty").touch()
    (folder / "broken").write_text('[keys]\naplications = ["alice"]\n')
    names = {
        "config": site.config,
        "folder": folder,
        "shared": folder / "shared",
        "empty": folder / "empty",
        "broken": folder / "broken",
    }
    assert keys(*(word.format(**names) for word in words)) == code
    assert said in capsys.readouterr().err


def test_a_damaged_store_key_is_said_and_nothing_is_lost(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sealer.key_path_in(site.state)
    path.chmod(0o600)
    path.write_bytes(b"short")
    assert keys("status", "--config", site.config) == 1
    assert "restore it" in capsys.readouterr().err
    assert not list(site.state.glob("keystore-damaged-*"))


def test_check_looks_at_the_key_delivery(site: Site) -> None:
    read = settings.load(site.config)
    fine = looking.look(read, NOW, (3, 0, 19))
    assert fine.verdict == "fine"
    assert "ground-a delivers to alice" in fine.text
    beyond = site.config.read_text().replace("port = 0", 'port = 0\nhost = "0.0.0.0"')
    open_ = settings.parse(beyond, source="x")
    assert "X25519MLKEM768" in looking.look(open_, NOW, (3, 0, 19)).text
    assert looking.look(open_, NOW, (3, 5, 0)).verdict == "fine"
    assert "ends on" in looking.look(read, NOW + dt.timedelta(days=350), (3, 5, 0)).text
    with pytest.raises(KeyDeliveryUnusable, match="ended on"):
        looking.look(read, NOW + dt.timedelta(days=366), (3, 5, 0))
    (site.certificates / "server.key").unlink()
    with pytest.raises(KeyDeliveryUnusable, match="not usable"):
        looking.look(read, NOW, (3, 5, 0))


def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported = builtins.__import__

    def without(name: str, *more: Any, **others: Any) -> Any:
        if name.startswith(("uvicorn", "qfleet_agent.delivery")):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return imported(name, *more, **others)

    monkeypatch.delitem(sys.modules, "qfleet_agent.command.keys", raising=False)
    monkeypatch.delattr(command, "keys", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    assert keys("certificates", tmp_path) == 78
    assert "install qfleet-agent[keys]" in capsys.readouterr().err
