"""The commands of ``docs/dask.md``, as they stand there but for addresses."""

import asyncio
import json
import re
import shlex
from pathlib import Path

from tests.system.processes import Processes, tool

from qfleet_agent import settings
from qfleet_agent.daemon import cluster_site
from qfleet_agent.workers.bridge_frames import Site, Trouble
from qfleet_agent.workers.cluster import Cluster

PAGE = (Path(__file__).parents[2] / "docs" / "dask.md").read_text()
LINES = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
DOCUMENTED = "tcp://cluster.site:8786"


def command(start: str) -> list[str]:
    (line,) = [line for line in LINES if line.startswith(start)]
    return shlex.split(line)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def start_site(directory: Path, processes: Processes) -> None:
    """Start the scheduler, with a scheduler file, and the workers of the page."""
    scheduler, file = command("dask scheduler"), directory / "scheduler.json"
    scheduler[scheduler.index("8786")] = "0"
    processes.start(
        "scheduler", tool("dask"), *scheduler[1:], "--host", "127.0.0.1", "--scheduler-file", str(file)
    )

    def address() -> str:
        try:
            return str(json.loads(file.read_text())["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            return ""

    processes.wait_for("the scheduler listens", lambda: bool(address()))
    worker = [address() if word == DOCUMENTED else word for word in command("dask worker")]
    processes.start("worker", tool("dask"), *worker[1:], "--local-directory", str(directory))


def test_the_site_of_the_page_is_found(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert settings.parse(text, source="docs/dask.md").scheduler == (DOCUMENTED, "")
    processes = Processes(tmp_path)
    try:
        start_site(tmp_path, processes)
        chosen = settings.parse(text.replace("cluster.site:8786", f"{tmp_path}/scheduler.json"), source="x")
        worker = command("dask worker")
        wanted = int(option(worker, "--nworkers"))
        site = asyncio.run(found(chosen, wanted))
        assert site.threads == wanted * int(option(worker, "--nthreads"))
        assert site.memory_bytes == wanted * int(option(worker, "--memory-limit").removesuffix("GiB")) << 30
        assert not site.refused
        assert f"{wanted} workers with" in cluster_site.describe(chosen.executor, site)
    finally:
        processes.stop_all()


async def found(chosen: settings.Settings, workers: int) -> Site:
    told: asyncio.Queue[Site | Trouble] = asyncio.Queue()
    cluster = Cluster(cluster_site.connection(chosen), lambda _: None, told.put_nowait)
    await cluster.start()
    try:
        async with asyncio.timeout(60):
            while not isinstance(one := await told.get(), Site) or one.workers < workers:
                pass
    finally:
        await cluster.close()
    return one


def test_the_agents_commands_exist() -> None:
    named = {tuple(shlex.split(line)[:2]) for line in LINES if line.startswith("qfleet-agent")}
    assert named == {("qfleet-agent", "check"), ("qfleet-agent", "status")}


def test_the_tables_settings_are_read() -> None:
    for executor in re.findall(r'`executor = "(dask[^"]*)"`', PAGE):
        spelled = executor.replace("HOST", "host").replace("PORT", "8786").replace("PATH", "srv")
        files = 'ca_file = "/ca.pem"\ncert_file = "/c.pem"\nkey_file = "/k.pem"'
        text = f'executor = "{spelled}"\n[cluster]\n{files}'
        assert settings.parse(text, source="docs/dask.md").scheduler is not None
