"""Keys between devices: which links make them, what was ordered, and what came of it; never a key itself."""

import time
from urllib.parse import urlencode

from qfleet import errors
from qfleet.transport import Connection
from qfleet_wire.api import keys as api

_PATH = "api/v1/keys"
_STEP_S = 0.2


class Keys:
    """What a control plane knows of keys; every method raises ``Refused`` or ``Unreachable``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def links(self) -> tuple[api.KeyLinkView, ...]:
        """The links that join two devices, with what both ends hold."""
        kind = tuple[api.KeyLinkView, ...]
        answer: tuple[api.KeyLinkView, ...] = self._connection.get(f"{_PATH}/links", kind)
        return answer

    def sessions(self, *, link: str = "", limit: int = 100) -> tuple[api.KeySessionView, ...]:
        """Sessions, the latest first; of one link where it is named, as ``A|B``."""
        query = urlencode({"link": link, "limit": limit})
        kind = tuple[api.KeySessionView, ...]
        answer: tuple[api.KeySessionView, ...] = self._connection.get(f"{_PATH}/sessions?{query}", kind)
        return answer

    def relays(self, *, limit: int = 100) -> tuple[api.KeyRelayView, ...]:
        """Relays, the latest first, with the nodes that were trusted."""
        kind = tuple[api.KeyRelayView, ...]
        answer: tuple[api.KeyRelayView, ...] = self._connection.get(f"{_PATH}/relays?limit={limit}", kind)
        return answer

    def alarms(self, *, limit: int = 100) -> tuple[api.KeyAlarmView, ...]:
        """Alarms, the latest first."""
        kind = tuple[api.KeyAlarmView, ...]
        answer: tuple[api.KeyAlarmView, ...] = self._connection.get(f"{_PATH}/alarms?limit={limit}", kind)
        return answer

    def exchange(
        self,
        a: str,
        b: str,
        *,
        eavesdropper: api.KeyListener | None = None,
        share: float = 1.0,
        pulses: int | None = None,
    ) -> api.KeySessionView:
        """Let a link make a key; both ends are ordered when this returns.

        ``a`` and ``b`` are devices, or places of the scenario. On simulated light an ``eavesdropper`` may
        listen to a ``share`` of it, for exercises. ``pulses`` takes fewer than planned.
        """
        request = api.KeyExchangeRequest(a=a, b=b, eavesdropper=eavesdropper, share=share, pulses=pulses)
        answer: api.KeySessionView = self._connection.post(f"{_PATH}/exchange", request, api.KeySessionView)
        return answer

    def relay(self, a: str, b: str, *, size: int = 32) -> api.KeyRelayView:
        """Let two devices without a link share a key of ``size`` bytes over trusted nodes."""
        request = api.KeyRelayRequest(a=a, b=b, bytes=size)
        answer: api.KeyRelayView = self._connection.post(f"{_PATH}/relay", request, api.KeyRelayView)
        return answer

    def wait_for_session(self, session: str, *, timeout_s: float) -> api.KeySessionView:
        """Wait until a session has ended, in whatever way.

        Raises:
            StillRunning: it has not within ``timeout_s``.
        """
        end = time.monotonic() + timeout_s
        while True:
            for one in self.sessions(limit=api.MOST_LISTED):
                if one.session == session and one.status != "ordered":
                    return one
            _pause(end, f"session {session}", timeout_s)

    def wait_for_relay(self, relay: str, *, timeout_s: float) -> api.KeyRelayView:
        """Wait until a relay has ended, in whatever way. Raises ``StillRunning``."""
        end = time.monotonic() + timeout_s
        while True:
            for one in self.relays(limit=api.MOST_LISTED):
                if one.relay == relay and one.status != "ordered":
                    return one
            _pause(end, f"relay {relay}", timeout_s)


def _pause(end: float, what: str, timeout_s: float) -> None:
    if time.monotonic() > end:
        raise errors.StillRunning(
            f"{what} has not ended within {timeout_s:g} s", hint="`qfleet key sessions` shows how it stands"
        )
    time.sleep(_STEP_S)
