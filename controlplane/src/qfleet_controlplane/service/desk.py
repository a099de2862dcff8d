"""Has the long computations of the quantum network done by a process of its own.

It is started for one computation and ends with it: numpy and a large scenario are in no other process's
memory, and the event loop and the machine's other work go on meanwhile.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from qfleet_controlplane.errors import InvalidRequest, NotFound, Unavailable
from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.outcome import REFUSED, UNEQUIPPED
from qfleet_wire.api.network import ShippedScenario

LONGEST_S = 600.0
_MODULE = "qfleet_controlplane.network.computing"
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")
_MOST_WORDS = 4000


class ProcessDesk:
    """The desk whose clerk is a process."""

    async def survey(self, text: str, source: str) -> bytes:
        """Return the encoded survey of a scenario.

        Raises:
            InvalidRequest: something in it is wrong; the message names line and reason.
            Unavailable: it cannot be computed here.
        """
        return await _computed("survey", source, text.encode())

    async def plan(self, survey: bytes) -> bytes:
        """Return the encoded plan of all demands; raises ``Unavailable``."""
        return await _computed("plan", "", survey)

    def shipped(self) -> Sequence[ShippedScenario]:
        """List the scenarios that ship."""
        return [ShippedScenario(name=name, title=title) for name, title in scenarios.titles().items()]

    def text_of(self, name: str) -> str:
        """Return the text of one that ships; raises ``NotFound``."""
        known = scenarios.titles()
        if name not in known:
            raise NotFound(f"no scenario {name!r} ships: there are {', '.join(known)}")
        return scenarios.text_of(name)


async def _computed(what: str, source: str, given: bytes) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", _MODULE, what, source,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
    )  # fmt: skip
    try:
        async with asyncio.timeout(LONGEST_S):
            answer, words = await child.communicate(given)
    except TimeoutError:
        raise Unavailable(
            f"the scenario takes more than {LONGEST_S:.0f} s to compute: make it smaller"
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    said = words.decode(errors="replace").strip()[-_MOST_WORDS:]
    match child.returncode:
        case 0:
            return answer
        case code if code == REFUSED:
            raise InvalidRequest(said)
        case code if code == UNEQUIPPED:
            raise Unavailable(said)
        case code:
            raise Unavailable(f"the computation ended with {code}: {said.splitlines()[-1] if said else ''}")
