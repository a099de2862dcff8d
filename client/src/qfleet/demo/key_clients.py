"""Two clients of ETSI GS QKD 014 that know nothing of qfleet: one from PyPI, and ``curl``."""

import importlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from qfleet import errors
from qfleet.demo.key_site import KeySite


@dataclass(frozen=True, slots=True)
class Shared:
    """A key that both applications got and that is the same; it is not kept."""

    key_id: str


def share(site: KeySite) -> Shared:
    """Let alice at ground-a get a key for bob, and bob at ground-b fetch it by its id.

    Raises:
        UserError: one of the clients is not installed.
        QFleetError: the two keys differ.
    """
    given = _with_client(site)
    key_id = str(given.key_id)
    fetched = _with_curl(site, f"alice/dec_keys?key_ID={key_id}")
    other = fetched.get("keys", [{}])[0].get("key", "")
    if other != given.key:
        raise errors.QFleetError("the two applications got different keys")
    return Shared(key_id)


def _with_client(site: KeySite) -> Any:
    try:
        client = importlib.import_module("etsi_qkd_014_client")
    except ImportError as error:
        hint = "`make demo-keys` sets it up, or pip install etsi-qkd-014-client"
        raise errors.UserError("the demo needs the package etsi-qkd-014-client", hint=hint) from error
    folder = site.certificates
    made = client.QKD014Client(
        site.host("ground-a"), str(folder / "alice.crt"), str(folder / "alice.key"), str(folder / "ca.crt")
    )
    code, answer = made.get_key("bob")
    if code != 200:
        raise errors.QFleetError(f"alice was refused a key with {code}: {answer}")
    return answer.keys[0]


def _with_curl(site: KeySite, rest: str) -> dict[str, Any]:
    tool = shutil.which("curl")
    if tool is None:
        raise errors.UserError("the demo needs curl", hint="install curl")
    folder = site.certificates
    done = subprocess.run(  # noqa: S603 - curl by its path, to an address of ours
        [tool, "-sS", "--max-time", "20", "--cacert", str(folder / "ca.crt"),
         "--cert", str(folder / "bob.crt"), "--key", str(folder / "bob.key"), f"https://{site.host('ground-b')}/api/v1/keys/{rest}"],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise errors.QFleetError(f"curl ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    read: dict[str, Any] = json.loads(done.stdout)
    return read
