"""Does what renewals want, while a connection stands: looks, asks again, and has a new session opened."""

import asyncio
import logging
from collections.abc import Callable

from qfleet_agent.link.renewals import ASK_AGAIN_S, LOOK_S, Renewals
from qfleet_wire import payloads

log = logging.getLogger(__name__)


class Renewing:
    """``send`` puts a request in line, ``reopen`` begins another session with the new certificate."""

    def __init__(
        self,
        renewals: Renewals,
        send: Callable[[payloads.Up], None],
        reopen: Callable[[], None],
    ) -> None:
        self._renewals = renewals
        self._send = send
        self._reopen = reopen

    async def keep(self) -> None:
        """Look at the certificate's age until cancelled."""
        while True:
            await asyncio.sleep(ASK_AGAIN_S if self._renewals.waits else LOOK_S)
            await self.ask()

    async def ask(self) -> None:
        """Ask for a new certificate if the present one is old enough."""
        try:
            request = await self._renewals.request()
        except OSError as error:
            _unsaved(error)
            return
        if request is not None:
            self._send(request)

    async def take(self, answer: payloads.Renewed | payloads.RenewalRefused) -> None:
        """Take in what the controller says about it."""
        try:
            changed = await self._renewals.take(answer)
        except OSError as error:
            _unsaved(error)
            return
        if changed:
            self._reopen()


def _unsaved(error: OSError) -> None:
    log.warning(
        "The certificate is not renewed, its keys cannot be written: %s; it is tried again.",
        error,
        extra={"action": "renew-unsaved"},
    )
