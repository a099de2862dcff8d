"""Deciding about an enrolment request inside one transaction: a token is consumed atomically.

What is granted is stored, sealed, before anything is sent, so that the same CSR gets the same
grant again. Nothing here sends.
"""

from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.authority import accounts, membership
from qfleet_controlplane.authority.keyring import Issued, Keyring
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.store import audit, registry
from qfleet_wire import codec
from qfleet_wire.channel import enrolment
from qfleet_wire.errors import Refused
from qfleet_wire.names import DeviceName, Millis, RegionName

_WHO = "enrolment"


@dataclass(frozen=True, slots=True)
class Granting:
    """What goes into every grant, and the keys that make it.

    ``shared`` is the broker login of all devices, None where each gets its own.
    """

    ring: Keyring
    region: RegionName
    shared: Login | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request. ``outcome`` None is answered with nothing."""

    device: DeviceName
    outcome: enrolment.Grant | enrolment.Denial | None
    issued: Issued | None = None
    reused: bool = False
    """The token had served another CSR: somebody else knows it."""


class _Stored(msgspec.Struct, frozen=True):
    grant: enrolment.Grant


def token_key(ring: Keyring, invitation: registry.Invitation) -> bytes:
    """Open what is stored of a token's secret; raises ``SealBroken``."""
    return ring.sealer.open(invitation.secret, token_context(invitation.token_id))


def token_context(token_id: bytes) -> str:
    """Name the row that a sealed token key belongs to."""
    return f"invitation/{token_id.hex()}/secret"


def rule(connection: sa.Connection, granting: Granting, request: enrolment.Request, now: Millis) -> Verdict:
    """Decide about a request that has proved its token's secret, and store what is decided."""
    found = registry.invitation(connection, request.token_id)
    assert found is not None, "the caller opened the request with this invitation's key"
    state = enrolment.TokenState(found.expires, found.used_csr_hash)
    decision = enrolment.decide(state, request.csr_hash, now)
    if decision == "alarm":
        _note(connection, now, "alarm.token-reuse", found.device, f"token {found.token_id.hex()}")
        return Verdict(found.device, None, reused=True)
    if isinstance(decision, enrolment.Refuse):
        return Verdict(found.device, enrolment.Denial(decision.reason))
    try:
        _check_not_shut_out(connection, found.device)
    except Refused as error:
        return Verdict(found.device, enrolment.Denial(str(error)))
    if decision == "same-answer":
        return Verdict(found.device, _same(granting, found))
    return _issue(connection, granting, found, request, now)


def _issue(
    connection: sa.Connection,
    granting: Granting,
    found: registry.Invitation,
    request: enrolment.Request,
    now: Millis,
) -> Verdict:
    ring, device = granting.ring, found.device
    issued = ring.issue_device(device, request.public_key, now)
    login = granting.shared or accounts.give(connection, ring.sealer, granting.region, device)
    grant = enrolment.Grant(
        chain=issued.chain,
        login=login.user,
        password=login.password,
        region=granting.region,
        revocations=ring.revocations,
        time=now,
    )
    sealed = ring.sealer.seal(codec.encode(_Stored(grant)), _grant_context(found.token_id))
    registry.use_invitation(connection, found.token_id, request.csr_hash, sealed)
    registry.supersede_all(connection, device)
    registry.drop_session(connection, device)
    membership.enter(connection, device, request.csr_hash, issued)
    facts = " ".join(
        text[:80] for text in (request.facts.machine, request.facts.model, request.facts.profile)
    )
    _note(connection, now, "certificate.issue", device, facts)
    return Verdict(device, grant, issued)


def _same(granting: Granting, found: registry.Invitation) -> enrolment.Grant:
    assert found.answer is not None, "a used token has its answer"
    opened = granting.ring.sealer.open(found.answer, _grant_context(found.token_id))
    return codec.decode(opened, _Stored).grant


def _check_not_shut_out(connection: sa.Connection, device: DeviceName) -> None:
    """A device that was revoked since it was invited does not come in by its token."""
    if registry.device_status(connection, device) is not None:
        membership.check_device(connection, device)


def _grant_context(token_id: bytes) -> str:
    return f"invitation/{token_id.hex()}/grant"


def _note(connection: sa.Connection, now: Millis, action: str, device: DeviceName, detail: str) -> None:
    audit.append(connection, [audit.Entry(now, _WHO, action, device, detail)])
