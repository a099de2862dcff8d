"""How a certificate is renewed."""

import msgspec


class RenewRequest(msgspec.Struct, frozen=True, tag="renew"):
    """Ask for a new certificate. The CSR (DER) is stored before it is sent; repeatable."""

    csr: bytes


class Renewed(msgspec.Struct, frozen=True, tag="renewed"):
    """A renewed certificate chain for the CSR with this SHA-256. Same CSR, same answer."""

    csr_hash: bytes
    chain: tuple[bytes, ...]


class RenewalRefused(msgspec.Struct, frozen=True, tag="renewal-refused"):
    """Why a renewal was not granted, and what to do."""

    csr_hash: bytes
    reason: str
