"""Keys of the local key delivery for the daemon's sessions, by settings and profile."""

import msgspec

from qfleet_agent import keycalls
from qfleet_agent.keycalls import Caller
from qfleet_agent.link.supply import Supply
from qfleet_agent.settings import QuantumKeys
from qfleet_wire import key_delivery
from qfleet_wire.profile import Mixing, Security


def supply(demand: Mixing, settings: QuantumKeys | None) -> Supply:
    """The supply of a device; without a key delivery it says so wherever a key is wanted.

    Raises:
        SettingsInvalid: The certificate, its key or the authority's file cannot be used.
    """
    return Supply(demand) if settings is None else Supply(demand, caller(settings).new)


def caller(settings: QuantumKeys) -> Caller:
    """Calls the key delivery of the settings. Raises ``SettingsInvalid`` as ``supply`` does."""
    context = keycalls.client(settings.ca_file, settings.certificate_file, settings.key_file)
    where = key_delivery.address(settings.url)
    return Caller(where, context, settings.controller, settings.answer_s)


def demanded(security: Security) -> Security:
    """The same for a handshake, which knows only that some key must be mixed in."""
    required = security.require_preshared_key or security.quantum_key == "require"
    return msgspec.structs.replace(security, require_preshared_key=required)
