"""What a control plane stores of keys that key deliveries gave it, and what it does not start with."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from qfleet_controlplane.authority import key_supply, preshared
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import QuantumKeys
from qfleet_controlplane.store.tables.fleet import meta
from qfleet_wire.errors import Refused
from qfleet_wire.names import DeviceName

ONE, OTHER = DeviceName("one"), DeviceName("other")


def test_a_delivered_key_serves_once_and_the_oldest_ids_go() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        meta.create(connection)
        for number in range(preshared.MOST_DELIVERED + 1):
            name = f"qkd:{number}"
            preshared.check_unused(connection, ONE, name)
            preshared.mark_used(connection, ONE, name)
            preshared.mark_used(connection, ONE, name)
            with pytest.raises(Refused, match=f"'{name}' has served"):
                preshared.check_unused(connection, ONE, name)
        preshared.check_unused(connection, ONE, "qkd:0")
        with pytest.raises(Refused):
            preshared.check_unused(connection, ONE, "qkd:1")
        preshared.check_unused(connection, OTHER, "qkd:1")
    engine.dispose()


def test_without_its_certificate_it_does_not_start(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    wanted = QuantumKeys(url="https://here", ca_file=absent, certificate_file=absent, key_file=absent)
    with pytest.raises(ConfigurationError, match=r"\[security\.qkd\].*absent.*No such file"):
        key_supply.KeySupply(wanted)
