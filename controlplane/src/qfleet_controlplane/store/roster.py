"""Reads of what other controllers may lead: shares of a job, and the devices of any region."""

from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa

from qfleet_controlplane.machine import state, tables
from qfleet_controlplane.store import records
from qfleet_controlplane.store.tables import fleet, work
from qfleet_wire.names import DeviceName, JobId, RegionName


class Member(NamedTuple):
    """A device as the last commit left it, and its region."""

    region: RegionName
    device: state.Device


def shares(connection: sa.Connection, job: JobId) -> list[tuple[RegionName, str]]:
    """The regions that have a share of a job, and each share's status."""
    query = sa.select(work.shares.c.region, work.shares.c.status).where(work.shares.c.job == job)
    return [(RegionName(row.region), row.status) for row in connection.execute(query)]


def divided(connection: sa.Connection, region: RegionName) -> list[JobId]:
    """The unfinished jobs of a region that other regions have shares of too."""
    own, other = work.shares.alias("own"), work.shares.alias("other")
    shared = sa.exists().where(other.c.job == own.c.job, other.c.region != own.c.region)
    query = sa.select(own.c.job).where(own.c.region == region, own.c.status.not_in(tables.JOB_OVER), shared)
    return [JobId(job) for job in connection.scalars(query)]


def devices(connection: sa.Connection, besides: Collection[RegionName] = ()) -> list[Member]:
    """Every device but those of some regions."""
    query = sa.select(fleet.devices).where(fleet.devices.c.region.not_in(list(besides)))
    return [_member(row) for row in connection.execute(query)]


def device(connection: sa.Connection, name: DeviceName) -> Member | None:
    """A device in whatever region; None for an unknown one."""
    row = connection.execute(sa.select(fleet.devices).where(fleet.devices.c.name == name)).first()
    return None if row is None else _member(row)


def _member(row: sa.Row[Any]) -> Member:
    return Member(RegionName(row.region), records.device_of(row))
