"""The data formats of ETSI GS QKD 014 V1.1.1, clause 6; sizes of keys in bits."""

from typing import Any

import msgspec

Extension = dict[str, Any]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Clause 6.1."""

    source_kme_id: str = msgspec.field(name="source_KME_ID")
    target_kme_id: str = msgspec.field(name="target_KME_ID")
    master_sae_id: str = msgspec.field(name="master_SAE_ID")
    slave_sae_id: str = msgspec.field(name="slave_SAE_ID")
    key_size: int
    stored_key_count: int
    """Keys of ``key_size`` that this KME can deliver now to a master for this slave."""
    max_key_count: int
    max_key_per_request: int
    max_key_size: int
    min_key_size: int
    max_sae_id_count: int = msgspec.field(name="max_SAE_ID_count")
    """How many additional slaves a request may name; 0: none."""


class KeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Clause 6.2; every field may be left out."""

    number: int = 1
    size: int | None = None
    additional_slave_sae_ids: tuple[str, ...] = msgspec.field(name="additional_slave_SAE_IDs", default=())
    extension_mandatory: tuple[Extension, ...] = ()
    extension_optional: tuple[Extension, ...] = ()


class Key(msgspec.Struct, frozen=True):
    """A key of a container: its UUID, and its bytes in Base64."""

    key_id: str = msgspec.field(name="key_ID")
    key: str

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"Key({self.key_id}, …)"


class KeyContainer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Clause 6.3."""

    keys: tuple[Key, ...]
    key_container_extension: Extension | None = None


class KeyId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key that is asked for; the extension is reserved and not looked at."""

    key_id: str = msgspec.field(name="key_ID")
    key_id_extension: Extension | None = msgspec.field(name="key_ID_extension", default=None)


class KeyIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clause 6.4; the extension is reserved and not looked at."""

    key_ids: tuple[KeyId, ...] = msgspec.field(name="key_IDs")
    key_ids_extension: Extension | None = msgspec.field(name="key_IDs_extension", default=None)


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """Clause 6.5."""

    message: str
    details: tuple[Extension, ...] = ()
