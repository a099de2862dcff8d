"""A server that answers as a test tells it, in the form of the API; the client cannot tell."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import msgspec

from qfleet_wire import api
from qfleet_wire.names import Millis

TOKEN = "a-token-that-opens-nothing"


@dataclass(frozen=True)
class Answer:
    """One answer; ``breaks`` cuts the connection after the body. Without a status there is none."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    query: str
    authorization: str
    body: bytes
    key: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def of(value: Any, status: int = 200) -> Answer:
    return Answer(msgspec.json.encode(value), status)


def problem(status: int, code: str, message: str, **more: Any) -> Answer:
    return of(api.Problem(code, message, **more), status)


def stream(*details: api.JobDetail, breaks: bool = False) -> Answer:
    """Server-sent events ``job``, with a comment and an unknown event among them."""
    text = ": hello\n\nevent: weather\ndata: fine\n\n"
    text += "".join(f"event: job\ndata: {msgspec.json.encode(detail).decode()}\n\n" for detail in details)
    return Answer(text.encode(), headers={"Content-Type": "text/event-stream"}, breaks=breaks)


def detail(status: api.JobStatus = "running", progress: float = 0.0, **more: Any) -> api.JobDetail:
    """A job with one task."""
    finished = 2_000 if status in api.FINISHED else None
    job = api.JobView(
        id="job-1", name="ghz", kind="circuit.sample", status=status, created=Millis(1_000),
        finished=None if finished is None else Millis(finished), items=1, progress=progress,
        tasks=api.TaskCounts(running=1), devices=("pi",), plan=("one task: it is small",),
        errors=more.get("errors", ()),
    )  # fmt: skip
    task = api.TaskView("task-1", "running", 1, "pi", 1, progress, more.get("errors", ()))
    return api.JobDetail(job, (task,))


def sampled(counts: dict[str, int]) -> api.SampleResultView:
    """A result of one point."""
    source = api.SourceView("pi", "qulacs", "0.6", 1, 12.5)
    item = api.SampleItemView({}, sum(counts.values()), counts)
    return api.SampleResultView("job-1", "succeeded", 7, (item,), (source,))


class ControlPlane:
    """Answers queued per method and path; the last one of a queue is given again and again."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        self.asked: list[Asked] = []
        self.url = ""

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self.answers[method, f"/api/v1/{path}"].extend(answers)

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if asked.authorization != f"Bearer {TOKEN}":
            return problem(401, "unauthenticated", "this token is not known", hint="use another")
        queue = self.answers[asked.method, asked.path]
        if not queue:
            return problem(404, "not-found", f"nothing at {asked.path}")
        return queue.pop(0) if len(queue) > 1 else queue[0]


@contextmanager
def running() -> Iterator[ControlPlane]:
    """Serve on a free port of loopback."""
    fake = ControlPlane()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            return

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            authorization = self.headers.get("Authorization", "")
            key = self.headers.get("Idempotency-Key", "")
            answer = fake.answer(Asked(self.command, parts.path, parts.query, authorization, body, key))
            if not answer.status:
                self.close_connection = True
                return
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json"} | answer.headers
            length = len(answer.body) + (100 if answer.breaks else 0)
            for name, value in {**headers, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
