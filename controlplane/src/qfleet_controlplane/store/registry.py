"""Queries on what the authority has granted: tokens, invitations, certificates, resumption secrets.

Every function works on an open connection, so that callers decide what belongs into one
transaction. Secrets come and go sealed (``authority.sealing``); nothing here could open them.
"""

from dataclasses import dataclass, field

import sqlalchemy as sa

from qfleet_controlplane.store.tables.fleet import (
    api_tokens,
    certificates,
    devices,
    invitations,
    meta,
    sessions,
)
from qfleet_controlplane.store.tables.work import shares, tasks
from qfleet_wire.names import DeviceName, Millis

INVITATION_KEPT_MS = 30 * 86_400_000
"""How long an invitation is kept after it has ended, used or not."""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as it is stored: by its SHA-256."""

    hash: bytes = field(repr=False)
    name: str
    role: str
    created: Millis


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time join token as it is stored; ``secret`` and ``answer`` are sealed."""

    token_id: bytes
    device: DeviceName
    secret: bytes = field(repr=False)
    created: Millis
    expires: Millis
    used_csr_hash: bytes | None = None
    answer: bytes | None = field(default=None, repr=False)
    region: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A device's certificate; ``chain`` as the authority encoded it.

    ``status`` is ``active``, ``superseded`` (a newer one has opened a session) or ``revoked``.
    """

    hash: bytes
    serial: str
    device: DeviceName
    csr_hash: bytes
    chain: bytes = field(repr=False)
    not_before: Millis
    not_after: Millis
    status: str = "active"


def adopt_region(connection: sa.Connection, region: str) -> None:
    """Give what was stored before there were regions to the only region that there is."""
    for table in (devices, invitations, tasks, shares):
        connection.execute(table.update().where(table.c.region == "").values(region=region))


def add_token(connection: sa.Connection, token: Token) -> None:
    """Store an API token."""
    connection.execute(
        api_tokens.insert().values(
            hash=token.hash, name=token.name, role=token.role, created=token.created, revoked=None
        )
    )


def tokens(connection: sa.Connection) -> list[Token]:
    """Every API token that is not revoked."""
    rows = connection.execute(sa.select(api_tokens).where(api_tokens.c.revoked.is_(None)))
    return [Token(row.hash, row.name, row.role, row.created) for row in rows]


def revoke_token(connection: sa.Connection, name: str, now: Millis) -> bool:
    """Revoke an API token by its name; False if there is none."""
    changed = connection.execute(
        api_tokens.update()
        .where(api_tokens.c.name == name, api_tokens.c.revoked.is_(None))
        .values(revoked=now)
    )
    return changed.rowcount > 0


def has_token(connection: sa.Connection, name: str) -> bool:
    """Whether a token has or had this name: names are never used twice."""
    return connection.scalar(sa.select(api_tokens.c.name).where(api_tokens.c.name == name)) is not None


def device_status(connection: sa.Connection, device: DeviceName) -> str | None:
    """A device's status, None for one that was never invited."""
    status: str | None = connection.scalar(sa.select(devices.c.status).where(devices.c.name == device))
    return status


def reachable(connection: sa.Connection, region: str) -> list[DeviceName]:
    """Devices of a region that were heard not very long ago: online or silent."""
    chosen = devices.c.region == region, devices.c.status.in_(("online", "silent"))
    return [DeviceName(name) for name in connection.scalars(sa.select(devices.c.name).where(*chosen))]


def add_invitation(connection: sa.Connection, invitation: Invitation) -> None:
    """Store a fresh invitation, and forget those that ended long before it was made.

    Until then a used token that comes with another key is told from one that never was.
    """
    forgotten = invitations.c.expires < invitation.created - INVITATION_KEPT_MS
    connection.execute(invitations.delete().where(forgotten))
    connection.execute(
        invitations.insert().values(
            token_id=invitation.token_id,
            device=invitation.device,
            secret=invitation.secret,
            created=invitation.created,
            expires=invitation.expires,
            region=invitation.region,
        )
    )


def invitation(connection: sa.Connection, token_id: bytes) -> Invitation | None:
    """The invitation of this token id."""
    row = connection.execute(sa.select(invitations).where(invitations.c.token_id == token_id)).first()
    return None if row is None else Invitation(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def use_invitation(connection: sa.Connection, token_id: bytes, csr_hash: bytes, answer: bytes) -> None:
    """Consume an invitation; the caller has decided inside this transaction that it is unused."""
    connection.execute(
        invitations.update()
        .where(invitations.c.token_id == token_id, invitations.c.used_csr_hash.is_(None))
        .values(used_csr_hash=csr_hash, answer=answer)
    )


def add_certificate(connection: sa.Connection, certificate: Certificate) -> None:
    """Store a certificate that was issued."""
    connection.execute(
        certificates.insert().values(
            hash=certificate.hash,
            serial=certificate.serial,
            device=certificate.device,
            csr_hash=certificate.csr_hash,
            chain=certificate.chain,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            status=certificate.status,
        )
    )


def certificate(connection: sa.Connection, hash_: bytes) -> Certificate | None:
    """The certificate with this SHA-256."""
    row = connection.execute(sa.select(certificates).where(certificates.c.hash == hash_)).first()
    return None if row is None else Certificate(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def certificate_for(connection: sa.Connection, device: DeviceName, csr_hash: bytes) -> Certificate | None:
    """The active certificate that this CSR of this device was granted, if any: same CSR, same answer."""
    row = connection.execute(
        sa.select(certificates).where(
            certificates.c.device == device,
            certificates.c.csr_hash == csr_hash,
            certificates.c.status == "active",
        )
    ).first()
    return None if row is None else Certificate(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def supersede_older(connection: sa.Connection, device: DeviceName, keep: bytes) -> None:
    """End a device's active certificates that began before the one with this SHA-256."""
    begin = connection.scalar(sa.select(certificates.c.not_before).where(certificates.c.hash == keep))
    connection.execute(
        certificates.update()
        .where(
            certificates.c.device == device,
            certificates.c.status == "active",
            certificates.c.not_before < begin,
        )
        .values(status="superseded")
    )


def supersede_all(connection: sa.Connection, device: DeviceName) -> None:
    """End every active certificate of a device, because it enrols anew."""
    connection.execute(
        certificates.update()
        .where(certificates.c.device == device, certificates.c.status == "active")
        .values(status="superseded")
    )


def revoke(connection: sa.Connection, device: DeviceName) -> None:
    """Revoke every certificate of a device and forget what it could resume with."""
    connection.execute(certificates.update().where(certificates.c.device == device).values(status="revoked"))
    drop_session(connection, device)


def session(connection: sa.Connection, device: DeviceName) -> bytes | None:
    """A device's sealed resumption record."""
    sealed: bytes | None = connection.scalar(sa.select(sessions.c.current).where(sessions.c.device == device))
    return sealed


def put_session(
    connection: sa.Connection, device: DeviceName, sealed: bytes, *, generation: int, now: Millis
) -> None:
    """Store a device's sealed resumption record in place of the one before."""
    drop_session(connection, device)
    connection.execute(
        sessions.insert().values(
            device=device, current=sealed, previous=None, generation=generation, created=now
        )
    )


def drop_session(connection: sa.Connection, device: DeviceName) -> None:
    """Forget a device's resumption record; a full handshake follows."""
    connection.execute(sessions.delete().where(sessions.c.device == device))


def fact(connection: sa.Connection, key: str) -> bytes | None:
    """Read a small fact of the installation by name."""
    value: bytes | None = connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))
    return value


def put_fact(connection: sa.Connection, key: str, value: bytes) -> None:
    """Store a small fact in place of the one before."""
    connection.execute(meta.delete().where(meta.c.key == key))
    connection.execute(meta.insert().values(key=key, value=value))
