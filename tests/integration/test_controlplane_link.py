"""Devices made of the channel package against a whole control plane, over both kinds of broker."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import aiomqtt
import msgspec
import pytest
from tests.integration.channel_device import Device
from tests.integration.packaged_brokers import SecuredMosquitto
from tests.integration.site_of_controlplane import Site, initialise, run, running

from qfleet_controlplane.link import handshakes
from qfleet_wire import payloads
from qfleet_wire.channel import frames, initiator, keys, renewal
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.preshared import PresharedKey
from qfleet_wire.errors import EnrolmentRefused
from qfleet_wire.names import TaskId

ANNOUNCEMENT = payloads.Announcement(
    agent_version="0.1.0",
    profile="generic",
    boot_id="boot",
    machine="x86_64",
    cores=2,
    memory_bytes=1 << 30,
    workers=1,
    task_memory_bytes=1 << 29,
    max_qubits=20,
    engines=(payloads.Engine("probe", "1", ("probe.echo",)),),
)
EMPTY = payloads.Inventory((), ())


class Novelty(msgspec.Struct, frozen=True, tag="novelty"):
    """A payload of a later version."""


def later(milliseconds: int) -> Callable[[], int]:
    """A clock that is ahead."""
    true = time.time_ns
    return lambda: true() + milliseconds * 1_000_000


@pytest.fixture(params=["embedded", "mosquitto"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A control plane's directory, on each kind of broker, with an account for every device."""
    if request.param == "mosquitto":
        secured: SecuredMosquitto = request.getfixturevalue("secured_mosquitto")
        return secured.directory
    made = tmp_path / "controlplane"
    initialise(made)
    return made


@pytest.fixture
def unguarded(tmp_path: Path, mosquitto: str) -> Path:
    """A control plane's directory, on a broker that lets everybody do everything."""
    made = tmp_path / "controlplane"
    initialise(made, mosquitto)
    return made


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """A control plane's directory, on the embedded broker."""
    made = tmp_path / "controlplane"
    initialise(made)
    return made


async def open_session(site: Site, device: Device) -> None:
    """Open a session and wait until the control plane shows it."""
    assert await device.hello() is None
    await device.send(ANNOUNCEMENT, EMPTY)
    await wait_for_status(site, device, "online")


async def wait_for_status(site: Site, device: Device, status: str) -> None:
    async def holds() -> bool:
        return await site.status(device.token.device) == status

    await site.until(holds, f"{device.token.device} is {status}")


async def wait_for_audit(site: Site, action: str) -> None:
    async def holds() -> bool:
        return action in await asyncio.to_thread(site.audited)

    await site.until(holds, f"{action} in the audit log")


async def submit(site: Site, items: int) -> str:
    answer = await site.client.post("/api/v1/jobs", json={"kind": "probe.echo", "items": items})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def gather_assigned(device: Device, count: int) -> list[payloads.Assign]:
    found: dict[TaskId, payloads.Assign] = {}
    while len(found) < count:
        found.update({item.task: item for item in await device.hear() if isinstance(item, payloads.Assign)})
    return list(found.values())


def test_from_invitation_to_assignment(directory: Path) -> None:
    async def main() -> None:
        async with running(directory) as site:
            device = await site.join("pi-1")
            assert await site.status("pi-1") == "enrolled"
            async with device.online():
                await open_session(site, device)
                await submit(site, 3)
                assigned = await gather_assigned(device, 3)
                assert {task.attempt for task in assigned} == {1}
                await device.send(*(payloads.Accepted(task.task, task.attempt) for task in assigned))
            seen = (await site.client.get("/api/v1/devices/pi-1")).json()
            assert (seen["profile"], seen["max_qubits"], seen["engines"]) == ("generic", 20, ["probe 1"])

    run(main)


def test_a_token_serves_one_key(directory: Path) -> None:
    async def main() -> None:
        async with running(directory) as site:
            token = await site.invite("pi-1")
            device = Device(token)
            await device.enrol()
            first = device.own.chain
            await device.enrol()  # the answer may have been lost: the same CSR gets the same chain
            assert device.own.chain == first
            thief = Device(token)
            async with thief.enrolling() as ask:
                await thief.request(thief.identity.csr)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await ask.answer()
            await wait_for_audit(site, "alarm.token-reuse")
            async with device.online():  # the true device is not harmed
                await open_session(site, device)

    run(main)


def test_two_at_once_with_one_token_make_one_device(embedded: Path) -> None:
    async def attempt(token: str) -> bool:
        device = Device(token)
        async with device.enrolling() as ask:
            await device.request(device.identity.csr)
            try:
                async with asyncio.timeout(3):
                    device.accept(await ask.answer())
            except TimeoutError:
                return False
        return True

    async def main() -> None:
        async with running(embedded) as site:
            token = await site.invite("pi-1")
            # Each sees the other's answer too and must not take it for its own.
            granted = [await attempt(token), await attempt(token)]
            assert granted == [True, False]

    run(main)


def test_an_expired_token_is_denied_with_a_reason(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with running(embedded) as site:
            device = Device(await site.invite("pi-1", valid_s=10.0))
            monkeypatch.setattr("time.time_ns", later(20_000))
            with pytest.raises(EnrolmentRefused, match="expired"):
                await device.enrol()

    run(main)


def test_a_false_secret_and_an_unknown_token_get_a_hint_at_most(embedded: Path) -> None:
    async def main() -> None:
        async with running(embedded) as site:
            token = await site.invite("pi-1")
            for field, code in (("secret", "token"), ("token_id", "token")):
                device = Device(token)
                size = len(getattr(device.token, field))
                device.token = msgspec.structs.replace(device.token, **{field: secrets.token_bytes(size)})
                async with device.enrolling() as ask:
                    frame = await ask(device.identity.csr)
                    assert frame[0] == Kind.REFUSAL
                    assert code.encode() in frame
            await wait_for_audit(site, "alarm.untrusted-enrolment")
            await Device(token).enrol()  # the token itself still serves

    run(main)


def test_the_same_hello_gets_the_same_answer_and_changes_nothing(directory: Path) -> None:
    async def main() -> None:
        async with running(directory) as site:
            device = await site.join("pi-1")
            async with device.online():
                attempt = initiator.hello(
                    device.own, device.circumstances, preshared=None, random=secrets.token_bytes
                )
                first = await device.ask(attempt.frame)
                assert (await device.ask(attempt.frame)).payload == first.payload
                device._adopt(initiator.finish(attempt, first.payload, device.standing, now=device.now()))
                await device.send(ANNOUNCEMENT, EMPTY)
                await wait_for_status(site, device, "online")
                await device.ask(attempt.frame)  # a replay while the session stands
                await submit(site, 1)
                assert await gather_assigned(device, 1)

    run(main)


def test_what_is_stale_forged_or_replayed_is_counted_and_only_forgery_alarms(directory: Path) -> None:
    async def main() -> None:
        async with running(directory) as site:
            device = await site.join("pi-1")
            async with device.online():
                await open_session(site, device)
                envelope = await device.send(EMPTY)
                await device.publish(envelope)
                await device.publish(envelope[:-1] + bytes([envelope[-1] ^ 1]))
                await device.publish(envelope[:4] + bytes(16) + envelope[20:])
                assert (await device.refusal()).code == "resumption"  # only the stale one is answered
                await device.publish(b"nonsense")
                await wait_for_audit(site, "alarm.forged")
                metrics = (await site.client.get("/metrics")).text
                for outcome in ("stale", "forged", "replayed"):
                    assert f'qfleet_link_received_total{{outcome="{outcome}"}} 1\n' in metrics
                assert 'qfleet_link_rejected_total{reason="kind"} 1\n' in metrics
                audited = await asyncio.to_thread(site.audited)
                assert [action for action in audited if action.startswith("alarm")] == ["alarm.forged"]
                await submit(site, 1)  # and the session stands
                assert await gather_assigned(device, 1)

    run(main)


def test_results_under_another_key_do_not_count(embedded: Path) -> None:
    async def main() -> None:
        async with running(embedded) as site:
            device = await site.join("pi-1")
            async with device.online():
                await open_session(site, device)
                job = await submit(site, 1)
                (task,) = await gather_assigned(device, 1)
                result = payloads.TaskResult(task.task, task.attempt, "failed", error="made up")
                await device.send_results(result, key=keys.generate(secrets.token_bytes))
                await wait_for_audit(site, "alarm.result-signature")
                detail = (await site.client.get(f"/api/v1/jobs/{job}")).json()
                assert detail["tasks"][0]["errors"] == []
                await device.send_results(result)

                async def counted() -> bool:
                    detail = (await site.client.get(f"/api/v1/jobs/{job}")).json()
                    return "made up" in str(detail["tasks"][0]["errors"])

                await site.until(counted, "the signed result counts")

    run(main)


def test_an_unknown_payload_is_answered_and_harms_no_other(embedded: Path) -> None:
    async def main() -> None:
        async with running(embedded) as site:
            device = await site.join("pi-1")
            async with device.online():
                await open_session(site, device)
                await device.send(Novelty(), payloads.Unsupported("what you sent"))  # type: ignore[arg-type]
                heard = await device.hear()
                assert heard == [payloads.Unsupported("novelty")]

    run(main)


def test_revoking_ends_the_account_at_the_broker(directory: Path) -> None:
    async def main() -> None:
        async with running(directory) as site:
            device, other = await site.join("pi-1"), await site.join("pi-2")
            async with other.online():
                await open_session(site, other)
                async with device.online():
                    await open_session(site, device)
                    answer = await site.client.post("/api/v1/devices/pi-1/revoke", json={"reason": "stolen"})
                    assert (answer.json()["status"], answer.json()["reason"]) == ("revoked", "stolen")
                    await device.cut_off()
                with pytest.raises(aiomqtt.MqttError):
                    async with device.online():
                        pass
                await submit(site, 1)
                assert len(await gather_assigned(other, 1)) == 1
        async with running(directory) as site:
            async with other.online():
                await open_session(site, other)
            with pytest.raises(aiomqtt.MqttError):  # also after a restart: the row is never deleted
                async with device.online():
                    pass

    run(main)


def test_revoking_ends_the_session_whatever_the_broker_does(unguarded: Path) -> None:
    directory = unguarded

    async def main() -> None:
        async with running(directory) as site:
            device, other = await site.join("pi-1"), await site.join("pi-2")
            async with device.online(), other.online():
                await open_session(site, device)
                await open_session(site, other)
                answer = await site.client.post("/api/v1/devices/pi-1/revoke", json={"reason": "stolen"})
                assert (answer.json()["status"], answer.json()["reason"]) == ("revoked", "stolen")
                await device.send(payloads.Heartbeat(device.now(), 1, 0.5, 1, 1, 0, 0, 0))
                assert (await device.refusal()).code == "resumption"
                for refusal in (await device.hello(), await device.resume()):
                    assert refusal is not None
                    assert refusal.code in ("revoked", "resumption")
                await submit(site, 1)
                assert len(await gather_assigned(other, 1)) == 1
            again = await site.client.post("/api/v1/devices", json={"device": "pi-1"})
            assert again.status_code == 409
            assert "device.revoke" in await asyncio.to_thread(site.audited)
        async with running(directory) as site, device.online():
            refusal = await device.hello()  # also after a restart: the row is never deleted
            assert refusal is not None
            assert refusal.code == "revoked"

    run(main)


def test_after_a_restart_devices_resume(directory: Path) -> None:
    async def main() -> None:
        async with running(directory) as site:
            device = await site.join("pi-1")
            async with device.online():
                await open_session(site, device)
        generation = device.state
        assert generation is not None
        async with running(directory) as site, device.online():
            await device.send(EMPTY)  # the device has not noticed
            assert (await device.refusal()).code == "resumption"
            assert await device.resume() is None
            await device.send(ANNOUNCEMENT, EMPTY)
            await wait_for_status(site, device, "online")
            assert device.state is not None
            assert device.state.generation == generation.generation + 1
            await submit(site, 1)
            assert await gather_assigned(device, 1)
            metrics = (await site.client.get("/metrics")).text
            assert 'qfleet_link_handshakes_total{outcome="resumed"} 1\n' in metrics

    run(main)


def test_a_renewed_certificate_replaces_the_old_one(directory: Path) -> None:
    async def main() -> None:
        async with running(directory) as site:
            device = await site.join("pi-1")
            old = device.own
            async with device.online():
                await open_session(site, device)
                before = (await site.client.get("/api/v1/devices/pi-1")).json()["certificate_expires"]
                following = renewal.new_identity(secrets.token_bytes)
                chains = []
                for _ in range(2):  # the same CSR gets the same chain
                    await device.send(payloads.RenewRequest(following.csr))
                    (answer,) = await device.hear()
                    assert isinstance(answer, payloads.Renewed)
                    chains.append(answer.chain)
                assert chains[0] == chains[1]
                await device.renew()
                assert device.own.peer.certificate_hash != old.peer.certificate_hash
                await open_session(site, device)
                after = (await site.client.get("/api/v1/devices/pi-1")).json()["certificate_expires"]
                assert after >= before

    run(main)


def test_an_expired_certificate_can_only_renew(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with running(embedded) as site:
            device = await site.join("pi-1")
        monkeypatch.setattr("time.time_ns", later(100 * 86_400_000))
        async with running(embedded) as site, device.online():
            assert await device.hello() is None
            await device.send(ANNOUNCEMENT, EMPTY, payloads.Heartbeat(device.now(), 1, 0.5, 1, 1, 0, 0, 0))
            await device.renew()
            assert await site.status("pi-1") == "enrolled"
            await open_session(site, device)

    run(main)


def test_a_preshared_key_is_demanded_and_serves_once(embedded: Path) -> None:
    shared = embedded / "preshared"
    shared.mkdir()
    keys_ = [PresharedKey(f"k{number}", secrets.token_bytes(32)) for number in range(2)]
    (shared / "pi-1.keys").write_text("".join(f"{key.id} {key.key.hex()}\n" for key in keys_))
    (shared / "pi-1.keys").chmod(0o400)
    with (embedded / "controlplane.toml").open("a") as config:
        config.write(f'[security]\nrequire_preshared_key = true\npreshared_directory = "{shared}"\n')

    async def codes(device: Device) -> list[str | None]:
        unknown = PresharedKey("other", secrets.token_bytes(32))
        refusals = [await device.hello(key) for key in (None, unknown, keys_[0], keys_[0])]
        return [None if refusal is None else refusal.code for refusal in refusals]

    async def main() -> None:
        async with running(embedded) as site:
            device = await site.join("pi-1")
            async with device.online():
                assert await codes(device) == ["preshared-key", "preshared-key", None, "preshared-key"]
                await device.send(ANNOUNCEMENT, EMPTY)
                await wait_for_status(site, device, "online")
        async with running(embedded), device.online():  # it stays used over a restart
            refusal = await device.hello(keys_[0])
            assert refusal is not None
            assert refusal.code == "preshared-key"
            assert await device.hello(keys_[1]) is None

    run(main)


def test_a_device_that_nobody_invited_is_refused_at_once(unguarded: Path) -> None:
    async def main() -> None:
        async with running(unguarded) as site:
            device = await site.join("pi-1")
            async with device.online():
                frame = initiator.hello(
                    device.own, device.circumstances, preshared=None, random=secrets.token_bytes
                ).frame
                device.token = msgspec.structs.replace(device.token, device="pi-2")
                await device.listen()
                refusal = frames.read((await device.ask(frame)).payload, frames.Refusal)
                assert refusal.code == "untrusted"
                assert "not in this control plane's table" in refusal.text
                await wait_for_audit(site, "alarm.untrusted-hello")

    run(main)


def test_a_storm_of_hellos_does_not_stall_the_loop(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "_DEVICE_BURST", 40)

    async def main() -> None:
        async with running(embedded) as site:
            device = await site.join("pi-1")
            async with device.online():
                attempts = [
                    initiator.hello(
                        device.own, device.circumstances, preshared=None, random=secrets.token_bytes
                    )
                    for _ in range(40)
                ]
                loop = asyncio.get_running_loop()
                asking = [asyncio.create_task(device.ask(attempt.frame)) for attempt in attempts]
                start = loop.time()
                assert (await site.client.get("/healthz")).status_code == 200
                assert loop.time() - start < 2.0
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)

    run(main)


def test_no_secret_reaches_a_log(embedded: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    known: list[str] = []

    async def main() -> None:
        async with running(embedded) as site:
            text = await site.invite("pi-1")
            device = Device(text)
            await device.enrol()
            assert device.grant is not None
            known.extend((text, device.token.password, device.token.secret.hex(), device.grant.password))
            known.append(site.client.headers["Authorization"].removeprefix("Bearer "))
            async with device.online():
                await open_session(site, device)
            broken = Device(text)
            async with broken.enrolling():
                await broken.request(broken.identity.csr)
                await wait_for_audit(site, "alarm.token-reuse")

    run(main)
    text = "\n".join(
        f"{record.getMessage()} {record.exc_info} {record.__dict__}" for record in caplog.records
    )
    assert "Connected to the broker" in text
    assert [secret for secret in known if secret in text] == []
