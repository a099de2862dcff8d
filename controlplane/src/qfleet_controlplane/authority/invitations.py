"""Inviting a device: a one-time join token, of which the store keeps only a sealed derived key."""

from collections.abc import Callable
from dataclasses import dataclass, field

from qfleet_controlplane.authority import enrolments
from qfleet_controlplane.authority.keyring import Keyring
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.store import registry
from qfleet_wire import api
from qfleet_wire.channel import invitation
from qfleet_wire.errors import InvalidName
from qfleet_wire.names import DeviceName, Millis, RegionName, parse_name

_SHORTEST_S = 10.0
_LONGEST_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Inviting:
    """What goes into every token."""

    ring: Keyring
    region: RegionName
    broker: str
    login: Login = field(repr=False)


def check(request: api.InviteRequest) -> DeviceName:
    """Check what is asked for; raise ``InvalidRequest``."""
    try:
        device = parse_name(request.device, "device")
    except InvalidName as error:
        raise InvalidRequest(str(error)) from error
    if not _SHORTEST_S <= request.valid_s <= _LONGEST_S:
        raise InvalidRequest(
            f"valid_s = {request.valid_s:g} is not possible: use {_SHORTEST_S:g} to {_LONGEST_S:g} seconds"
        )
    return DeviceName(device)


def make(
    inviting: Inviting, request: api.InviteRequest, *, now: Millis, random: Callable[[int], bytes]
) -> tuple[registry.Invitation, str]:
    """Make a token: the row to store, and the text to show once."""
    device = check(request)
    token = invitation.JoinToken(
        fleet=inviting.ring.authority.fleet,
        region=inviting.region,
        device=device,
        broker=inviting.broker,
        login=inviting.login.user,
        password=inviting.login.password,
        authority=inviting.ring.authority.hash,
        token_id=invitation.new_token_id(random),
        secret=invitation.new_secret(random),
        expires=Millis(now + int(request.valid_s * 1000)),
    )
    key = invitation.token_key(token.secret, token.token_id)
    sealed = inviting.ring.sealer.seal(key, enrolments.token_context(token.token_id))
    row = registry.Invitation(
        token.token_id, device, sealed, created=now, expires=token.expires, region=inviting.region
    )
    return row, invitation.write(token)
