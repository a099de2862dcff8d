"""The agent as a process, against a controller over a real broker."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.agent_controller import (
    PATIENCE_S,
    FakeController,
    configure,
    echo,
)

from qfleet_agent.journal import journal, vault
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.store import Store
from qfleet_agent.peers.identity import Identity
from qfleet_wire import codec, payloads
from qfleet_wire.channel import invitation
from qfleet_wire.names import TaskId
from qfleet_wire.workload import EchoResult

COMMAND = [sys.executable, "-m", "qfleet_agent"]


async def call(*arguments: object, text: str = "") -> tuple[int, str, str]:
    """Run a command of the agent to its end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate(text.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def enrol(controller: FakeController, config: Path) -> None:
    code, out, err = await call("enrol", "--config", config, text=invitation.write(controller.token))
    assert code == 0, err
    assert "pi-1" in out


@asynccontextmanager
async def agent(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the daemon; it is killed at the end if a test has not stopped it."""
    log = (config.parent / "agent.log").open("ab")
    with log:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "run", "--config", str(config), stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()


def add(config: Path, line: str) -> None:
    """Add a line to the last table of a configuration."""
    config.write_text(config.read_text() + line + "\n")


async def stop(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        return await process.wait()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configure(tmp_path)


def test_a_task_goes_from_enrolment_to_acknowledgement(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                announcement = await controller.item(payloads.Announcement)
                assert announcement.profile == "generic"
                assert await controller.item(payloads.Inventory) == payloads.Inventory((), ())
                assert (await controller.item(payloads.Heartbeat)).disk_free_bytes > 0
                await controller.send(echo("t"))
                result = await controller.result("t")
                assert result.outcome == "succeeded", result.error
                assert codec.decode(result.body, EchoResult).data == b"hello"
                seen = len(controller.items)
                await controller.send(echo("t"))  # a duplicate gets the same answer
                again = await controller.item(payloads.Results, after=seen)
                assert codec.encode(codec.decode(again.results[0], payloads.TaskResult)) == codec.encode(
                    result
                )
                await controller.acknowledge(("t", 1))
                seen = len(controller.items)
                await controller.send(payloads.Ask("inventory"))
                held = await controller.item(payloads.Inventory, after=seen)
                assert held == payloads.Inventory((), ())
                assert await stop(process) == 0
        store = Store(journal.path_in(config.parent / "state"))
        assert store.load().results == []
        store.close()
        assert controller.handshakes == ["full"]

    asyncio.run(scenario())


def test_killed_in_mid_task_it_runs_the_task_again_and_resumes_its_session(
    mosquitto: str, config: Path
) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                # No worker answers so soon: the kill comes between acceptance and result.
                await controller.send(echo("t"))
                await controller.item(payloads.Accepted)
                process.kill()
                await process.wait()
            controller.results.clear()
            seen = len(controller.items)
            async with agent(config) as process:
                held = await controller.item(payloads.Inventory, after=seen)
                assert ("t", 1) in held.unfinished + held.finished
                assert (await controller.result("t")).outcome == "succeeded"
                await controller.acknowledge(("t", 1))
                assert await stop(process) == 0
            assert controller.handshakes == ["full", "resumed"]

    asyncio.run(scenario())


def test_a_result_that_nobody_acknowledged_comes_again_after_a_restart(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                await controller.send(echo("t"))
                first = await controller.result("t")
                assert await stop(process) == 0
            controller.results.clear()
            async with agent(config) as process:
                assert codec.encode(await controller.result("t")) == codec.encode(first)
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_a_large_result_travels_in_chunks(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        data = os.urandom(700_000)
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                await controller.send(echo("t", data))
                result = await controller.result("t")
                assert bytes(result.body) == bytes(payloads.NO_BODY)
                chunks = [one for one in controller.items if isinstance(one, payloads.Chunk)]
                assert {one.digest for one in chunks} == {result.artefact}
                assert len(chunks) == chunks[0].count == 3
                body = b"".join(one.data for one in sorted(chunks, key=lambda one: one.index))
                assert codec.decode(body, EchoResult).data == data
                await controller.acknowledge(("t", 1))
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_refusals_cancellations_and_unknown_items_are_answered(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                await controller.send(
                    echo("large", memory_bytes=1 << 50),
                    payloads.Cancel(TaskId("gone"), 1, "no need"),
                    payloads.Started(TaskId("x"), 1),  # type: ignore[arg-type]  # nothing for a device
                )
                refused = await controller.item(payloads.Refused)
                assert refused.code == "memory"
                assert (await controller.result("gone")).outcome == "cancelled"
                assert await controller.item(payloads.Unsupported) == payloads.Unsupported("started")
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_what_is_forged_stale_or_of_an_old_epoch_does_nothing(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                await controller.send(echo("a"), epoch=7)
                await controller.result("a")
                plaintext = codec.pack([echo("forged")], epoch=9, sent=controller.end.now)
                topic, sealed = controller.end.send(plaintext)
                await controller.publish(topic, sealed[:-1] + bytes([sealed[-1] ^ 1]))
                await controller.publish(topic, b"\x20" * 200)
                await controller.publish(topic, b"")
                await controller.send(echo("late"), epoch=6)
                await controller.send(echo("b"), epoch=7)
                await controller.result("b")
                assert {key for key, _ in controller.results} == {"a", "b"}
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_a_controller_that_lost_its_sessions_is_met_again(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                controller.end.sessions.clear()
                await asyncio.sleep(0)
                seen = len(controller.items)

                async def announce() -> None:
                    # A hint counts only some seconds after a session has opened.
                    while True:
                        record = controller.fleet.authority.raw
                        await controller.publish(f"qfleet/1/{controller.token.region}/authority", record)
                        await asyncio.sleep(0.5)

                hints = asyncio.create_task(announce())
                await controller.item(payloads.Inventory, after=seen)
                hints.cancel()
                await asyncio.gather(hints, return_exceptions=True)
                await controller.send(echo("t"))
                assert (await controller.result("t")).outcome == "succeeded"
                assert await stop(process) == 0
            assert controller.handshakes == ["full", "resumed"]

    asyncio.run(scenario())


def test_an_old_certificate_is_renewed_and_the_old_key_goes(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        # It ended yesterday: the session that it opens can only renew.
        async with FakeController(mosquitto, days=-1 / 1440).running() as controller:
            await enrol(controller, config)
            before = vault.load(config.parent / "state").current
            async with agent(config) as process:
                request = await controller.item(payloads.RenewRequest)
                chain = controller.issue(request.csr, 90)
                renewed = vault.load(config.parent / "state")
                assert renewed.current == before
                assert renewed.following is not None
                await controller.send(payloads.Renewed(renewed.following.csr_hash, chain))
                await controller.until(lambda: controller.handshakes[1:])
                await controller.item(payloads.Inventory, after=len(controller.items))
                assert await stop(process) == 0
            after = vault.load(config.parent / "state")
            assert after.following is None
            assert after.current.seed == renewed.following.seed != before.seed
            assert controller.handshakes == ["full", "full"]

    asyncio.run(scenario())


def test_an_agent_without_a_broker_is_ready_and_stops_cleanly(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
        add(config, 'broker = "unix:///nowhere/broker.sock"')
        async with agent(config) as process:
            state = config.parent / "state"
            async with asyncio.timeout(PATIENCE_S):
                while not (state / "status.json").exists():  # noqa: ASYNC110  # another process writes it
                    await asyncio.sleep(0.02)
            code, out, _ = await call("status", "--config", config, "--json")
            said = json.loads(out)
            assert code == 0
            assert said["running"] is True
            assert said["last"]["online"] is False
            assert await stop(process) == 0
        code, out, _ = await call("status", "--config", config)
        assert code == 1
        assert "Not running: pi-1" in out

    asyncio.run(scenario())


def test_enrolling_again_with_the_same_token_gives_the_same_identity(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        state = config.parent / "state"
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            granted = vault.load(state)
            assert vault.path_in(state).stat().st_mode & 0o777 == 0o400
            code, _, err = await call("enrol", "--config", config, text=invitation.write(controller.token))
            assert code == 2
            assert "pi-1" in err
            # As if the power had gone before the answer was stored.
            store = Store(journal.path_in(state))
            store.put({Name.MEMBERSHIP: None})
            store.close()
            await enrol(controller, config)
            assert vault.load(state) == granted
            assert len(controller.grants) == 1

    asyncio.run(scenario())


def test_enrolment_says_what_is_wrong(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            text = invitation.write(controller.token)
            code, _, err = await call("enrol", "--config", config, text=text[:60])
            assert (code, "cut off" in err) == (2, True)
            elsewhere = msgspec.structs.replace(controller.token, broker="unix:///nowhere.sock")
            code, _, err = await call("enrol", "--config", config, text=invitation.write(elsewhere))
            assert (code, "/nowhere.sock" in err) == (4, True)
        code, _, err = await call("run", "--config", config)
        assert (code, "qfleet-agent enrol" in err) == (78, True)
        add(config, "reconnect_bas_s = 3.0")
        code, _, err = await call("run", "--config", config)
        assert (code, "did you mean `reconnect_base_s`?" in err) == (78, True)

    asyncio.run(scenario())


def test_two_agents_never_share_a_state_directory(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                code, _, err = await call("run", "--config", config)
                assert (code, "stop it first" in err) == (1, True)
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_check_finds_nothing_wrong_with_a_device_that_works(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            code, out, _ = await call("check", "--config", config, "--json")
            assert code == 1
            assert {"state", "identity"} <= {
                one["what"] for one in json.loads(out) if one["verdict"] == "failure"
            }
            await enrol(controller, config)
            code, out, _ = await call("check", "--config", config, "--json")
            assert code == 0, out
            assert [one["what"] for one in json.loads(out)] == ["device", "state", "identity", "broker"]

    asyncio.run(scenario())


def test_the_journal_can_be_queried_and_exported_without_its_secrets(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                await controller.send(echo("t"))
                await controller.result("t")
                _, out, _ = await call("journal", "--config", config)
                assert {"table": "outbox", "rows": 1} in map(json.loads, out.splitlines())
                _, out, _ = await call("journal", "--config", config, "SELECT task, result FROM outbox")
                (row,) = map(json.loads, out.splitlines())
                assert (row["task"], row["result"]["outcome"]) == ("t", "succeeded")
                for secret in ("SELECT value FROM meta", "DELETE FROM outbox", "ATTACH 'x' AS y"):
                    code, _, err = await call("journal", "--config", config, secret)
                    assert code == 1, secret
                    assert "Traceback" not in err
                export = config.parent / "export.sqlite"
                code, _, err = await call("journal", "--config", config, "--export", export)
                assert code == 0, err
                written = sqlite3.connect(export)
                assert written.execute("SELECT task FROM outbox").fetchall() == [("t",)]
                assert not written.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchall()
                written.close()
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_what_no_waiting_mends_ends_the_agent_with_78(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)

    async def start() -> tuple[int, str, str]:
        return await call("run", "--config", config)

    asyncio.run(scenario())
    text, ca_file, keys = config.read_text(), config.parent / "ca.pem", config.parent / "keys"
    ca_file.write_text("no certificate")
    config.write_text(f'{text}broker = "mqtts://localhost:1"\nca_file = "{ca_file}"\n')
    code, _, err = asyncio.run(start())
    assert (code, "link.ca_file" in err) == (78, True)
    keys.write_text(f"k1 {'00' * 32}\n")
    keys.chmod(0o644)
    config.write_text(f'preshared_key_file = "{keys}"\n{text}')
    code, _, err = asyncio.run(start())
    assert (code, "chmod 0400" in err) == (78, True)


def test_a_revoked_agent_and_a_killed_one_do_not_claim_a_link(mosquitto: str, config: Path) -> None:
    async def said() -> dict[str, Any]:
        _, out, _ = await call("status", "--config", config, "--json")
        told: dict[str, Any] = json.loads(out)
        return told

    async def until_offline() -> str:
        async with asyncio.timeout(PATIENCE_S):
            while (told := await said())["last"]["online"]:  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(0.1)
        return str(told["last"]["trouble"])

    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Heartbeat)
                controller.end.revoke()
                reopened = asyncio.create_task(hint(controller))
                assert "revoked" in await until_offline()
                reopened.cancel()
                await asyncio.gather(reopened, return_exceptions=True)
                process.kill()
                await process.wait()
                told = await said()
                assert (told["running"], told["last"]["online"]) == (False, False)
                assert "does not run" in told["last"]["trouble"]

    async def hint(controller: FakeController) -> None:
        # A hint counts only some seconds after a session has opened.
        while True:
            record = controller.fleet.authority.raw
            await controller.publish(f"qfleet/1/{controller.token.region}/authority", record)
            await asyncio.sleep(0.5)

    asyncio.run(scenario())


def test_the_key_process_may_be_started_before_the_agent_once_enrolled(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)

    asyncio.run(scenario())
    assert Identity(config.parent / "state").device == "pi-1"
