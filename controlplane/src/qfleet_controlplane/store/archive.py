"""The backup file: a tar of a manifest and the parts that it names, each with its SHA-256.

Written so that there is the whole file or none, readable by its owner only. What does not agree with the
manifest to the last byte is refused before anything of it is used.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from qfleet_controlplane.errors import ConfigurationError

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
STORE = "store.db"
CONFIGURATION = "controlplane.toml"
AUTHORITY = "authority.sealed"
_PARTS = frozenset({STORE, CONFIGURATION, AUTHORITY})
_MOST_MANIFEST_BYTES = 1 << 20
_BLOCK = 1 << 20


class Part(msgspec.Struct, frozen=True):
    """A file in the archive."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is of. ``authority`` is the SHA-256 of the fleet's record, in hexadecimal digits."""

    format: int
    fleet: str
    created: int
    version: str
    schema: str
    dialect: str
    authority: str
    audit_sequence: int
    audit_hash: str
    rows: dict[str, int]
    parts: dict[str, Part]


class Damaged(ConfigurationError):
    """The backup is not as it was written."""


def write(path: Path, manifest: Manifest, parts: Mapping[str, Path]) -> str:
    """Write a backup in one stroke; the manifest's ``parts`` are filled in. Return its SHA-256.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        told = {name: Part(*_digest(source)) for name, source in parts.items()}
        text = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(manifest, parts=told)))
        with _created(temporary) as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, MANIFEST, io.BytesIO(text), len(text))
                seal = f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode()
                _add(tar, SEAL, io.BytesIO(seal), len(seal))
                for name, source in parts.items():
                    with source.open("rb") as content:
                        _add(tar, name, content, told[name].bytes)
            file.flush()
            os.fsync(file.fileno())
        digest, _ = _digest(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def read(path: Path, directory: Path) -> Manifest:
    """Check a backup and unpack its parts, by their names, into a private directory.

    Raises:
        Damaged: with what does not agree.
        ConfigurationError: it cannot be read, or is of a format that this version does not know.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            manifest = _manifest(tar)
            for name, part in manifest.parts.items():
                if name not in _PARTS:
                    raise Damaged(f"{path} names a part {name!r} that no backup has")
                _unpack(tar, name, part, directory / name)
    except (tarfile.TarError, EOFError, msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise Damaged(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from error
    if STORE not in manifest.parts:
        raise Damaged(f"{path} is damaged: it holds no {STORE}")
    return manifest


def _manifest(tar: tarfile.TarFile) -> Manifest:
    text = _content(tar, MANIFEST)
    if _content(tar, SEAL).split()[:1] != [hashlib.sha256(text).hexdigest().encode()]:
        raise Damaged(f"the backup is damaged: {MANIFEST} is not what {SEAL} says")
    told = msgspec.json.decode(text).get("format")
    if told != FORMAT:
        raise ConfigurationError(f"the backup is of format {told}; this version reads format {FORMAT}")
    return msgspec.json.decode(text, type=Manifest)


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    return _member(tar, name).read(_MOST_MANIFEST_BYTES)


def _member(tar: tarfile.TarFile, name: str) -> io.BufferedReader:
    try:
        found = tar.extractfile(name)
    except KeyError:
        found = None
    if found is None:
        raise Damaged(f"the backup is damaged: it holds no file {name}")
    return found  # type: ignore[return-value]  # a buffered reader, whatever the annotation says


def _unpack(tar: tarfile.TarFile, name: str, part: Part, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with _member(tar, name) as source, _created(target) as file:
        while block := source.read(_BLOCK):
            digest.update(block)
            size += len(block)
            file.write(block)
    if (digest.hexdigest(), size) != (part.sha256, part.bytes):
        raise Damaged(f"the backup is damaged: {name} is not what {MANIFEST} says")


def _add(tar: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    tar.addfile(entry, content)


def _created(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
