"""Keys between devices: which links make them, what was ordered, and what came of it; never a key itself."""

import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, urlencode

from qfleet import errors, repeating
from qfleet.transport import Connection
from qfleet_wire.api import keys as api

_PATH = "api/v1/keys"
_STEP_S = 0.2
_NOT_FOUND = 404

T = TypeVar("T")


class Keys:
    """What a control plane knows of keys; every method raises ``Refused`` or ``Unreachable``.

    For ``patience_s`` seconds an order whose answer was lost is asked for again, under its key.
    """

    def __init__(self, connection: Connection, *, patience_s: float = 60.0) -> None:
        self._connection = connection
        self._patience_s = patience_s

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

    def session(self, name: str) -> api.KeySessionDetail:
        """A session with what its ends said, by its name or the first letters of that."""
        answer: api.KeySessionDetail = self._connection.get(
            f"{_PATH}/sessions/{_named(name)}", api.KeySessionDetail
        )
        return answer

    def carried(self, name: str) -> api.KeyRelayDetail:
        """A relay with what its ends said, by its name or the first letters of that."""
        answer: api.KeyRelayDetail = self._connection.get(
            f"{_PATH}/relays/{_named(name)}", api.KeyRelayDetail
        )
        return answer

    def find(self, name: str) -> api.KeySessionDetail | api.KeyRelayDetail:
        """The session or the relay of a name, or of the first letters of one.

        Raises:
            UserError: there is none, or one of each.
        """
        looked = (_or_none(self.session, name), _or_none(self.carried, name))
        found = [one for one in looked if one is not None]
        if not found:
            hint = "`qfleet key sessions` and `qfleet key relays` show them; they are kept for 90 days"
            raise errors.UserError(f"no session and no relay has a name that begins with {name!r}", hint=hint)
        if len(found) > 1:
            hint = "give more letters: --json shows whole names"
            raise errors.UserError(f"a session and a relay have names that begin with {name!r}", hint=hint)
        return found[0]

    def alarms(self, *, limit: int = 100) -> tuple[api.KeyAlarmView, ...]:
        """Alarms, the latest first."""
        kind = tuple[api.KeyAlarmView, ...]
        answer: tuple[api.KeyAlarmView, ...] = self._connection.get(f"{_PATH}/alarms?limit={limit}", kind)
        return answer

    def exchange(  # noqa: PLR0913 - the fields of the request, and its key
        self,
        a: str,
        b: str,
        *,
        eavesdropper: api.KeyListener | None = None,
        share: float = 1.0,
        pulses: int | None = None,
        key: str | None = None,
    ) -> api.KeySessionView:
        """Let a link make a key; both ends are ordered when this returns, and once.

        ``a`` and ``b`` are devices, or places of the scenario. On simulated light an ``eavesdropper`` may
        listen to a ``share`` of it, for exercises. ``pulses`` takes fewer than planned. ``key`` (1 to 64
        printable ASCII characters) is drawn unless it is given: who asks again under it gets the same one.
        """
        request = api.KeyExchangeRequest(a=a, b=b, eavesdropper=eavesdropper, share=share, pulses=pulses)
        key = repeating.fresh_key() if key is None else key

        def asked() -> api.KeySessionView:
            answer: api.KeySessionView = self._connection.post(
                f"{_PATH}/exchange", request, api.KeySessionView, key=key
            )
            return answer

        return repeating.once(asked, patience_s=self._patience_s)

    def relay(self, a: str, b: str, *, size: int = 32, key: str | None = None) -> api.KeyRelayView:
        """Let two devices without a link share a key of ``size`` bytes over trusted nodes, once.

        ``key`` as in ``exchange``.
        """
        request = api.KeyRelayRequest(a=a, b=b, bytes=size)
        key = repeating.fresh_key() if key is None else key

        def asked() -> api.KeyRelayView:
            answer: api.KeyRelayView = self._connection.post(
                f"{_PATH}/relay", request, api.KeyRelayView, key=key
            )
            return answer

        return repeating.once(asked, patience_s=self._patience_s)

    def wait_for_session(self, session: str, *, timeout_s: float) -> api.KeySessionView:
        """Wait until a session has ended, in whatever way.

        Raises:
            StillRunning: it has not within ``timeout_s``.
        """
        end = time.monotonic() + timeout_s
        while True:
            one = self.session(session).session
            if one.status != "ordered":
                return one
            _pause(end, f"session {session}", timeout_s)

    def wait_for_relay(self, relay: str, *, timeout_s: float) -> api.KeyRelayView:
        """Wait until a relay has ended, in whatever way. Raises ``StillRunning``."""
        end = time.monotonic() + timeout_s
        while True:
            one = self.carried(relay).relay
            if one.status != "ordered":
                return one
            _pause(end, f"relay {relay}", timeout_s)


def _named(name: str) -> str:
    if not name:
        raise errors.UserError(
            "the name of a session or a relay is empty",
            hint="`qfleet key sessions` and `qfleet key relays` show them",
        )
    return quote(name, safe="")


def _or_none(look: Callable[[str], T], name: str) -> T | None:
    try:
        return look(name)
    except errors.Refused as error:
        if error.status != _NOT_FOUND:
            raise
        return None


def _pause(end: float, what: str, timeout_s: float) -> None:
    if time.monotonic() > end:
        raise errors.StillRunning(
            f"{what} has not ended within {timeout_s:g} s", hint="`qfleet key sessions` shows how it stands"
        )
    time.sleep(_STEP_S)
