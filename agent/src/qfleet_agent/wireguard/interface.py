"""The WireGuard interface, through the command ``wg``: it takes the key on its standard input.

So the key stands in no argument and no file, and this process needs no more than CAP_NET_ADMIN.
"""

import asyncio
import base64
from asyncio.subprocess import PIPE, STDOUT
from typing import NamedTuple

from qfleet_agent.errors import InterfaceRefused
from qfleet_agent.wireguard.keys import Key

_PATIENCE_S = 15.0
_SAID = 200


class Interface(NamedTuple):
    """A peer of an interface."""

    name: str
    peer: str
    command: str = "wg"

    async def install(self, key: Key) -> None:
        """Set the peer's preshared key (wg(8), ``set … peer … preshared-key``).

        Raises:
            InterfaceRefused: With what the command said.
        """
        arguments = ("set", self.name, "peer", self.peer, "preshared-key", "/dev/stdin")
        try:
            process = await asyncio.create_subprocess_exec(
                self.command, *arguments, stdin=PIPE, stdout=PIPE, stderr=STDOUT
            )
        except OSError as error:
            raise InterfaceRefused(
                f"{self.command} cannot be run: {error.strerror}; is wireguard-tools installed?"
            ) from error
        secret = base64.b64encode(key.secret)
        try:
            said, _ = await asyncio.wait_for(process.communicate(secret + b"\n"), _PATIENCE_S)
        except TimeoutError:
            raise InterfaceRefused(f"{self.command} did not end within {_PATIENCE_S:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            # It repeats what it could not read, which may be the key.
            text = said.replace(secret, b"(key)").decode(errors="replace").strip()[:_SAID]
            raise InterfaceRefused(f"{self.command} set {self.name} failed ({process.returncode}): {text}")
