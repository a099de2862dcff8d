"""The provenance bundle: one file with a job's result and everything that it follows from.

Parts stand in it by name, each as bytes; the manifest holds the SHA-256 of each, and the controller signs
the manifest. So whatever is changed is found, and named. What devices computed carries their own
signatures beside: a controller can neither make results up nor alter them without that showing.

Parts: ``job`` (``Facts``), ``request`` and ``result`` (JSON of the API), ``specification`` and ``plan``
(as the control plane stored them), ``works`` (``Works``), ``task N`` (``Evidence``) for each stored result,
``batch N`` (``Flush``) for each signed flush, ``chain N`` (``Chain``), ``authority`` (the fleet's record)
and ``revocations`` (the root's signed list, which may be empty).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from qfleet_wire import codec
from qfleet_wire.channel import derivation, keys
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import InvalidMessage
from qfleet_wire.names import Millis

FORMAT: Final = "qfleet provenance"
VERSION: Final = 1
MOST_BYTES: Final = 4 * 1024**3
"""Largest file that is read."""


class Bundle(msgspec.Struct, frozen=True, array_like=True):
    """The file. ``controller`` is the certificate chain (DER, leaf first) of the key that has signed."""

    format: str
    version: int
    manifest: bytes
    signature: bytes
    controller: tuple[bytes, ...]
    parts: dict[str, bytes]


class Manifest(msgspec.Struct, frozen=True):
    """What is signed: the time of signing, and the SHA-256 of each part."""

    signed: Millis
    parts: dict[str, bytes]


class Facts(msgspec.Struct, frozen=True):
    """The job. ``copies`` of each task stand side by side, of which ``agree`` had to say the same."""

    job: str
    fleet: str
    status: str
    created: Millis
    seed: int
    agree: int
    copies: int
    version: str
    """Of the control plane that signs."""


class Works(msgspec.Struct, frozen=True):
    """The encoded ``workload.Work`` of each task: ``first``'s first so many bytes, then its own."""

    first: bytes
    tasks: tuple[tuple[int, int, bytes], ...]
    """Position, number of shared bytes, and the rest."""


class Evidence(msgspec.Struct, frozen=True):
    """A stored result. ``raw`` is the encoded ``payloads.TaskResult`` that its batch's signature covers.

    ``status`` is ``succeeded`` for a result that counts or that agrees with the one that does, and
    ``rejected`` for one that was outvoted. ``body`` is an artefact's content, None where it stands in
    ``raw``. ``machine`` is the architecture that the device had announced, as the controller knew it.
    """

    position: int
    device: str
    status: str
    attempt: int
    received: Millis
    raw: bytes
    body: bytes | None
    batch: int
    batch_position: int
    machine: str


class Flush(msgspec.Struct, frozen=True):
    """A signed flush: the device's signature over the SHA-256 of each of its results, 32 bytes each."""

    device: str
    signature: bytes
    digests: bytes
    received: Millis
    chain: int


class Chain(msgspec.Struct, frozen=True):
    """A device's certificate chain (DER, leaf first, root excluded)."""

    chain: tuple[bytes, ...]


def seal(
    parts: Mapping[str, bytes], key: MLDSA65PrivateKey, controller: Sequence[bytes], now: Millis
) -> bytes:
    """Sign parts and encode the file."""
    digests = {name: derivation.plain_hash(part) for name, part in parts.items()}
    manifest = codec.encode(Manifest(now, digests))
    signature = keys.sign(key, Label.PROVENANCE_SIGNATURE, manifest)
    return codec.encode(Bundle(FORMAT, VERSION, manifest, signature, tuple(controller), dict(parts)))


def read(data: bytes) -> Bundle:
    """Decode a file; nothing in it is checked.

    Raises:
        InvalidMessage: it is no bundle, of another version, or not spelled in the one way.
        LimitExceeded: it is too large.
    """
    bundle = codec.decode(data, Bundle, limit=MOST_BYTES)
    if bundle.format != FORMAT:
        raise InvalidMessage(f"a provenance bundle begins with {FORMAT!r}")
    if bundle.version != VERSION:
        raise InvalidMessage(f"the bundle has version {bundle.version}, this version reads {VERSION}")
    if codec.encode(bundle) != data:
        raise InvalidMessage("the bundle is not spelled as it was written")
    return bundle


def put_together(works: Works) -> dict[int, bytes]:
    """The encoded work of each task by position."""
    return {position: works.first[:shared] + rest for position, shared, rest in works.tasks}


def taken_apart(works: Mapping[int, bytes]) -> Works:
    """Works with what they have in common kept once: all of a job begin with its program."""
    first = next(iter(works.values()), b"")
    tasks = []
    for position, work in works.items():
        shared = _shared(first, work)
        tasks.append((position, shared, work[shared:]))
    return Works(first, tuple(tasks))


def _shared(one: bytes, other: bytes) -> int:
    """Length of the common beginning, found by halving: it may be megabytes."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
