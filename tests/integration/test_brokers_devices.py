"""Whole agents and control planes at packaged brokers: accounts from enrolment to revocation."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
from tests.integration import broker_certificates
from tests.integration.agents_at_brokers import Agent
from tests.integration.channel_device import Device
from tests.integration.packaged_brokers import (
    NatsSite,
    SecuredMosquitto,
    control_plane,
    give_to_mosquitto,
    started,
)
from tests.integration.site_of_controlplane import Site, run, running

from qfleet_controlplane.command import main as command


@pytest.fixture(params=["nats", "mosquitto"])
def packaged(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> "Iterator[NatsSite | SecuredMosquitto]":
    site: NatsSite | SecuredMosquitto
    site = NatsSite(tmp_path).single() if request.param == "nats" else SecuredMosquitto(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(site.certificates.authority))
    with started(*site.processes):
        yield site


async def can_log_in(device: Device) -> bool:
    try:
        async with device.online():
            return True
    except aiomqtt.MqttError:
        return False


async def succeeded(site: Site, items: int) -> None:
    answer = await site.client.post("/api/v1/jobs", json={"kind": "probe.echo", "items": items})
    job = answer.json()["id"]

    async def ended() -> bool:
        view = (await site.client.get(f"/api/v1/jobs/{job}")).json()
        return bool(view["job"]["status"] == "succeeded")

    await site.until(ended, "the job has succeeded")


def test_an_agent_works_over_tls_through_the_death_of_its_broker(
    packaged: "NatsSite | SecuredMosquitto", tmp_path: Path
) -> None:
    (broker,) = packaged.processes

    async def main() -> None:
        async with running(packaged.directory) as site:
            authority = packaged.certificates.authority
            async with Agent(tmp_path, "pi-1", authority=authority).running(site) as agent:
                await succeeded(site, 5)
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(broker.start)
                await succeeded(site, 5)
                answer = await site.client.post("/api/v1/devices/pi-1/revoke", json={"reason": "stolen"})
                assert answer.status_code == 200

                async def turned_away() -> bool:
                    return "uthori" in agent.log  # Mosquitto and NATS: not authorised

                await site.until(turned_away, "the broker turns the agent away")

    run(main)


def test_an_agent_says_what_is_wrong_with_a_certificate(
    packaged: "NatsSite | SecuredMosquitto", tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = broker_certificates.make(tmp_path / "other")

    async def main() -> None:
        async with running(packaged.directory) as site:
            code, said = await Agent(tmp_path, "pi-1", authority=other.authority).enrol(site)
            assert code == 4
            assert "certificate verify failed" in said
            named = (
                (await site.client.get("/api/v1/fleet")).json()["broker"].replace("127.0.0.1", "localhost")
            )
            agent = Agent(tmp_path, "pi-2", authority=packaged.certificates.authority, broker=named)
            code, said = await agent.enrol(site)
            assert code == 4
            assert "certificate verify failed" in said
            assert "localhost" in said

    run(main)


def test_a_broker_that_lost_its_accounts_gets_them_again(packaged: "NatsSite | SecuredMosquitto") -> None:
    (broker,) = packaged.processes
    stays, goes = [], []

    async def enrol() -> None:
        async with running(packaged.directory) as site:
            stays.append(await site.join("pi-1"))
            goes.append(await site.join("pi-2"))
            await site.client.post("/api/v1/devices/pi-2/revoke", json={"reason": "stolen"})

    async def look(*, expected: bool) -> None:
        assert await can_log_in(stays[0]) == expected
        assert not await can_log_in(goes[0])

    run(enrol)
    asyncio.run(look(expected=True))
    broker.stop()
    forget(packaged)
    broker.start()
    asyncio.run(look(expected=False))
    control_plane("broker", "rebuild", directory=packaged.directory)
    asyncio.run(look(expected=True))
    control_plane("broker", "check", directory=packaged.directory)
    # The same as a file, for a broker that is set up anew.
    broker.stop()
    forget(packaged)
    restore(packaged)
    broker.start()
    asyncio.run(look(expected=True))


def forget(site: "NatsSite | SecuredMosquitto") -> None:
    """Leave the broker with the fixed logins only."""
    empty = site.folder / "empty"
    if isinstance(site, NatsSite):
        (node,) = site.nodes
        lines = site.users.read_text().splitlines()
        (node.folder / "users.conf").write_text("\n".join((*lines[:3], "]")) + "\n")
    else:
        shutil.copy(site.fresh_accounts, empty)
        give_to_mosquitto(site.folder, empty)
        empty.replace(site.accounts)


def restore(site: "NatsSite | SecuredMosquitto") -> None:
    """Give the broker what the command renders."""
    if isinstance(site, NatsSite):
        control_plane("broker", "rebuild", "--output", site.users, directory=site.directory)
        shutil.copy(site.users, site.nodes[0].folder)
    else:
        site.rebuild()


def test_a_new_secret_is_for_devices_that_enrol_from_then_on(
    packaged: "NatsSite | SecuredMosquitto", capsys: pytest.CaptureFixture[str]
) -> None:
    old: list[Device] = []

    async def before() -> None:
        async with running(packaged.directory) as site:
            old.append(await site.join("pi-1"))

    async def after() -> None:
        async with running(packaged.directory) as site:
            device = await site.join("pi-2")
            assert await can_log_in(device)
            assert await can_log_in(old[0])
            again = await site.join("pi-1")  # invited anew: the old login ends
            assert await can_log_in(again)
            assert not await can_log_in(old[0])

    run(before)
    control_plane("broker", "rebuild", "--new-secret", directory=packaged.directory)
    assert "1 device keeps its login" in capsys.readouterr().out
    run(after)


def test_what_the_command_cannot_do_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "controlplane"
    assert command(["init", "--directory", str(directory), "--region", "north"]) == 0
    config = ("--config", str(directory / "controlplane.toml"))
    for arguments, words in (
        (("rebuild",), "restart it"),
        (("rebuild", "--region", "south"), "'south' is not configured"),
        (("rebuild", "--output", str(tmp_path / "out")), "names no login_file"),
        (("logins",), "names no login_file"),
    ):
        assert command(["broker", *arguments, *config]) == 78
        assert words in capsys.readouterr().err
