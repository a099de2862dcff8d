"""The authority's directory: what each file is called, and how private files are written.

A secret file is created with mode 0400, never overwritten in place, and refused when others may
read it. Contents never reach a log or an error message.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from qfleet_controlplane.errors import ConfigurationError

_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one directory."""

    directory: Path

    @property
    def root_key(self) -> Path:
        """Seed of the root key, perhaps under a passphrase; may be kept elsewhere."""
        return self.directory / "root.key"

    @property
    def root_certificate(self) -> Path:
        """The root certificate, DER."""
        return self.directory / "root.der"

    def issuer_key(self, role: str) -> Path:
        """Seed of the intermediate that issues certificates of a role."""
        return self.directory / f"{role}-issuer.key"

    def issuer_certificate(self, role: str) -> Path:
        """Certificate of that intermediate, DER."""
        return self.directory / f"{role}-issuer.der"

    @property
    def enrolment_key(self) -> Path:
        """Private key to which enrolment requests are sealed."""
        return self.directory / "enrolment.key"

    @property
    def controller_key(self) -> Path:
        """Seed of this controller's own key."""
        return self.directory / "controller.key"

    @property
    def controller_certificate(self) -> Path:
        """This controller's certificate for its first region, DER; renewed while running."""
        return self.directory / "controller.der"

    def region_certificate(self, region: str) -> Path:
        """This controller's certificate for a further region, DER; issued when it is first needed."""
        return self.directory / f"region-{region}.der"

    def region_certificates(self) -> list[Path]:
        """Every certificate of this controller for further regions."""
        return sorted(self.directory.glob("region-*.der"))

    @property
    def record(self) -> Path:
        """The authority record that devices fetch."""
        return self.directory / "record.bin"

    @property
    def revocations(self) -> Path:
        """List of revoked controllers, signed by the root."""
        return self.directory / "revocations.bin"

    @property
    def rest_key(self) -> Path:
        """Key under which secrets are sealed in the database."""
        return self.directory / "rest.key"


def read(path: Path) -> bytes:
    """Read a public file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}; restore it, or run 'qfleet-controlplane init'"
        ) from error


def read_secret(path: Path) -> bytes:
    """Read a secret file; refuse one that others may read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}; restore it, or run 'qfleet-controlplane init'"
        ) from error
    if mode & _OTHERS:
        raise ConfigurationError(f"{path} is a secret and others may read it: chmod 400 {path}")
    return read(path)


def write_secret(path: Path, content: bytes) -> None:
    """Create a secret file of mode 0400; one that exists is an error."""
    try:
        _create(path, content, 0o400)
    except OSError as error:
        raise ConfigurationError(f"cannot create {path}: {error.strerror}") from error


def replace(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a power cut, sees the old or the new content, never a part."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        _create(temporary, content, mode)
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def _create(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
