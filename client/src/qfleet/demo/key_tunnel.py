"""A WireGuard tunnel between the sites whose preshared key is rotated at both ends.

The demo needs no rights: a stand-in takes the exact call of ``wg`` and writes down a digest of the key that
comes on its standard input. With the real ``wg`` the rotators are the same (docs/wireguard.md).
"""

import os
import stat
import time
from pathlib import Path

from qfleet import errors
from qfleet.demo import key_site, processes, site
from qfleet.demo.directory import Directory
from qfleet.demo.key_site import KeySite

_PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
_LIMIT_S = 60.0
_STEP_S = 0.1
_STAND_IN = """#!/bin/sh
# Takes the place of wg(8): notes what it was asked, and a digest of the key, never the key.
echo "wg $* $(sha256sum | cut -c1-16)" >> "{record}"
"""


def rotate(directory: Directory, family: processes.Family, keys: KeySite) -> bool:
    """Run a rotator at each end until both interfaces were given a key; tell whether it is the same.

    Raises:
        DemoFailed: that did not happen in time.
    """
    line = f"localhost:{key_site.free_port()}"
    records = {}
    for end, role in (("ground-b", "follower"), ("ground-a", "leader")):
        home = directory.path / "tunnel" / end
        (home / "bin").mkdir(parents=True)
        records[end] = home / "wg.log"
        _stand_in(home / "bin" / "wg", records[end])
        settings = home / "wireguard.toml"
        settings.write_text(_settings(keys, end, role, line), encoding="utf-8")
        family.start(
            f"{end} wireguard",
            ["/usr/bin/env", f"PATH={home / 'bin'}{os.pathsep}{os.environ['PATH']}",
             site.find("qfleet-agent"), "wireguard", "--config", str(settings)],
            log=directory.logs / f"{end}-wireguard.log",
        )  # fmt: skip
    end_s = time.monotonic() + _LIMIT_S
    while not all(map(_digest, records.values())):
        family.check()
        if time.monotonic() > end_s:
            log = directory.logs / "ground-a-wireguard.log"
            raise errors.DemoFailed("the preshared key was not rotated in time", log=log)
        time.sleep(_STEP_S)
    same = _digest(records["ground-a"]) == _digest(records["ground-b"])
    for record in records.values():
        record.write_text("the calls of wg, without what they gave it\n", encoding="utf-8")
    return same


def _settings(keys: KeySite, end: str, role: str, line: str) -> str:
    own, other = ("tunnel-a", "tunnel-b") if role == "leader" else ("tunnel-b", "tunnel-a")
    folder = keys.certificates
    certificate = "server" if role == "follower" else own
    return (
        f'interface = "wg0"\npeer = "{_PEER}"\nrole = "{role}"\n'
        + ("interval_s = 120\n" if role == "leader" else "")
        + f'[delivery]\nurl = "https://{keys.host(end)}"\nca_file = "{folder / "ca.crt"}"\n'
        f'certificate_file = "{folder / own}.crt"\nkey_file = "{folder / own}.key"\n'
        f'other_sae_id = "{other}"\n'
        f'[line]\naddress = "{line}"\nca_file = "{folder / "ca.crt"}"\n'
        f'certificate_file = "{folder / certificate}.crt"\nkey_file = "{folder / certificate}.key"\n'
    )


def _stand_in(path: Path, record: Path) -> None:
    path.write_text(_STAND_IN.format(record=record), encoding="utf-8")
    path.chmod(stat.S_IRWXU)


def _digest(record: Path) -> str:
    """The digest of the key that was set last, empty where none was."""
    if not record.exists():
        return ""
    lines = record.read_text(encoding="utf-8").splitlines()
    return lines[-1].rsplit(" ", 1)[-1] if lines else ""
