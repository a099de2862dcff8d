"""What a relay leaves in the key store beside keys: its row, its order, and what the controller is told."""

import hashlib

from qfleet_agent.keyservice import records
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.keeper import Also
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.states import State
from qfleet_wire import key_orders
from qfleet_wire.key_orders import Outcome, RelayEnded, RouteAlarm

_LONGEST = 1000
"""Characters of a reason that are told."""


def block_of(plan: Plan) -> bytes:
    """The name of a relay's key in a key store, 16 bytes: no secret, and the same at both ends."""
    return _block_named(plan.relay)


def ended(device: str, plan: Plan, outcome: Outcome, why: str) -> records.Report:
    """Say how a relay ended at a device."""
    bits = 8 * plan.size if outcome == "key" else 0
    return _report(device, RelayEnded(relay=plan.relay, outcome=outcome, bits=bits, reason=why[:_LONGEST]))


def refused(device: str, relay: bytes, why: str) -> records.Report:
    """Say that a relay cannot begin as it was ordered."""
    return _report(device, RelayEnded(relay=relay, outcome="aborted", reason=why[:_LONGEST]))


def forged(device: str, relay: bytes, seen: str) -> records.Report:
    """Say what was altered on its way."""
    return _report(device, RouteAlarm(relay=relay, seen=seen[:_LONGEST]))


def begun(order: str) -> Also:
    """An order needs no beginning any more."""
    return lambda base: records.begun(base, order)


def forgotten(relay: bytes) -> Also:
    """Forget a relay."""
    return lambda base: records.forget_relay(base, relay)


def nothing(_: Base) -> None:
    """Store nothing else."""


def sweep(base: Base) -> None:
    """Forget relays whose key the store has forgotten, ``keeping.REMEMBERED_MS`` after it was used up.

    As long as there is a key, its row names the nodes that were trusted, and answers a target that asks.
    """
    for one in records.relays(base):
        if one.state == State.RELEASED and base.blocks.find(one.peer, _block_named(one.relay)) is None:
            records.forget_relay(base, one.relay)


def _block_named(relay: bytes) -> bytes:
    return hashlib.sha256(b"qfleet1 key of relay " + relay).digest()[:16]


def _report(device: str, body: RelayEnded | RouteAlarm) -> records.Report:
    # The same end twice has the same name, so that it is told once.
    what = body.seen if isinstance(body, RouteAlarm) else "ended"
    name = hashlib.sha256(f"qfleet1 relay {body.relay.hex()} {device} {what}".encode()).hexdigest()
    return records.Report(name[:40], key_orders.encode(body))
