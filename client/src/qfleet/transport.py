"""One HTTP connection to a control plane: bytes and statuses in, typed answers or our errors out.

The only module that touches httpx. It never follows a redirect (the token must not travel to
another host) and never shows the token, in errors and ``repr`` included.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from qfleet import errors, events, spelling
from qfleet_wire import api

T = TypeVar("T")

_UNAVAILABLE = frozenset({502, 503, 504})
"""Statuses of a proxy or a control plane that cannot answer now."""
_UNCERTAIN = frozenset({502, 504})
"""Statuses of a proxy that has lost what the control plane may have done."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Connection:
    """A connection to the API below ``url``; requests carry ``token`` as their bearer."""

    def __init__(self, url: str, token: str, *, timeout_s: float) -> None:
        self.url = check_url(url)
        self._timeout_s = timeout_s
        self._client = httpx.Client(
            base_url=f"{self.url}/",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=timeout_s,
            # a proxy of the environment has no business with a control plane on this machine
            trust_env=not is_loopback(self.url),
        )

    def __repr__(self) -> str:
        return f"Connection({self.url!r})"

    def close(self) -> None:
        """Give the sockets back."""
        self._client.close()

    def get(self, path: str, kind: Any, *, query: Mapping[str, str] | None = None, wait_s: float = 0) -> Any:
        """GET ``path`` and decode the answer as ``kind``; ``wait_s`` extends the read timeout.

        Raises:
            Refused: the control plane answered with an error.
            Unreachable: nothing answered, or something that is no control plane.
        """
        return self._answer(self._send("GET", path, params=query, wait_s=wait_s), kind)

    def get_bytes(self, path: str) -> bytes:
        """GET ``path`` and return the answer as it is; raises as ``get`` does."""
        answer = self._send("GET", path, headers={"Accept": "application/octet-stream"})
        if not answer.is_success:
            self._raise(answer)
        return answer.content

    def post(
        self, path: str, body: msgspec.Struct | None, kind: Any, *, key: str = "", wait_s: float = 0
    ) -> Any:
        """POST ``body`` as JSON and decode the answer as ``kind``; raises and waits as ``get`` does.

        With a ``key`` the control plane does it once, however often it is asked.
        """
        content = None if body is None else spelling.spell(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return self._answer(self._send("POST", path, content=content, headers=headers, wait_s=wait_s), kind)

    def events(self, path: str, *, silence_s: float) -> Iterator[events.Event]:
        """Follow a stream of events until it ends; more than ``silence_s`` without a byte breaks it."""
        timeout = httpx.Timeout(self._timeout_s, read=silence_s)
        accept = {"Accept": "text/event-stream"}
        with (
            self._reporting(),
            self._client.stream("GET", path, headers=accept, timeout=timeout) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                answer.read()
                self._raise(answer)
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                raise errors.Unreachable(f"{self.url} does not stream events here")
            yield from events.parse(answer.iter_lines())

    def _send(self, method: str, path: str, *, wait_s: float = 0, **more: Any) -> httpx.Response:
        timeout = httpx.Timeout(self._timeout_s, read=self._timeout_s + wait_s)
        with self._reporting():
            return self._client.request(method, path, timeout=timeout, **more)

    def _answer(self, answer: httpx.Response, kind: Any) -> Any:
        if not answer.is_success:
            self._raise(answer)
        return self.decode(answer.content, kind)

    def decode(self, content: bytes | str, kind: Any) -> Any:
        """Decode one JSON answer, or say that what answers is no control plane of this version."""
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise errors.Unreachable(
                f"what answers at {self.url} does not speak this API: {error}",
                hint="check the URL, and that client and control plane are of the same version",
            ) from error

    def _raise(self, answer: httpx.Response) -> NoReturn:
        problem = _problem_of(answer)
        if answer.status_code in _UNAVAILABLE:
            raise errors.Unreachable(
                f"{self.url} cannot answer now: {problem.message}",
                hint=problem.hint,
                uncertain=answer.status_code in _UNCERTAIN,
            )
        if answer.is_redirect:
            raise errors.Unreachable(
                f"{self.url} redirects to {answer.headers.get('location', '')[:200]!r}",
                hint="use the address of the control plane itself; a token is not sent elsewhere",
            )
        raise errors.Refused(problem, status=answer.status_code)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turn what can go wrong on the way into ``Unreachable``."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise errors.Unreachable(
                f"{self.url} did not answer in time ({type(error).__name__})",
                hint="is the control plane busy or the network slow? try again",
                uncertain=not isinstance(error, _NOT_SENT),
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise errors.Unreachable(
                f"cannot reach the control plane at {self.url}: {error}",
                hint="is it running, and is the address right? `qfleet check` tells more",
                uncertain=isinstance(error, httpx.TransportError) and not isinstance(error, _NOT_SENT),
            ) from error


def check_url(url: str) -> str:
    """Return ``url`` without a closing slash if it can be that of a control plane.

    Raises:
        UserError: with what is wrong with it.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or not url.isascii() or not url.isprintable() or " " in url:
        raise errors.UserError(
            f"{url[:200]!r} is not the URL of a control plane",
            hint="write it like https://fleet.example.org or http://127.0.0.1:8440",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise errors.UserError(
            "the URL of a control plane has no user, password, query or fragment",
            hint="the token stands in the configuration, not in the URL",
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether ``url`` names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _problem_of(answer: httpx.Response) -> api.Problem:
    """The problem an answer carries, or one made of its status."""
    try:
        return msgspec.json.decode(answer.content, type=api.Problem)
    except (msgspec.MsgspecError, ValueError):
        return api.Problem(
            code=f"http-{answer.status_code}",
            message=f"the answer was {answer.status_code} {answer.reason_phrase}",
        )
