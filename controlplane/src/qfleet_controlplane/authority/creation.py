"""Creating a fleet's authority: root, issuers, enrolment key, controller, in one directory.

Runs once per fleet, from ``init``. The root key may be put under a passphrase and taken away
afterwards; nothing that runs later needs it until an issuer's certificate ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from qfleet_controlplane.authority import files, sealing
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.channel import authority, certificates, identity, keys, suites, xwing
from qfleet_wire.names import ControllerName, FleetName, Millis, RegionName

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Founding:
    """What an authority is created for."""

    fleet: FleetName
    region: RegionName
    controller: ControllerName
    passphrase: bytes = field(default=b"", repr=False)
    """Protects the root key; empty leaves it to the file's mode."""


def create(directory: Path, founding: Founding, *, now: Millis, random: Random) -> None:
    """Create every key and certificate of a new authority.

    Raises:
        ConfigurationError: the directory already holds one, or cannot be written.
    """
    layout = make_directory(directory)
    root = _create_root(layout, founding, now, random)
    controllers = _create_issuer(
        layout, root, identity.IssuerIdentity(founding.fleet, "controller"), now, random
    )
    _create_issuer(layout, root, identity.IssuerIdentity(founding.fleet, "device"), now, random)
    create_controller(layout, controllers, founding, now, random)
    enrolment = xwing.generate(random)
    files.write_secret(layout.enrolment_key, enrolment.seed)
    files.write_secret(layout.rest_key, random(sealing.KEY_BYTES))
    record = authority.make_record(founding.fleet, root.certificate, enrolment.public, (suites.QFLEET1.name,))
    files.replace(layout.record, record)


def _create_root(
    layout: files.Layout, founding: Founding, now: Millis, random: Random
) -> certificates.Issuer:
    key = keys.generate(random)
    seed = keys.save(key)
    stored = keys.protect(seed, founding.passphrase, random) if founding.passphrase else seed
    files.write_secret(layout.root_key, stored)
    validity = certificates.lasting(now, certificates.ROOT_DAYS)
    certificate = certificates.make_root(founding.fleet, key, validity, random)
    files.replace(layout.root_certificate, certificate)
    return certificates.Issuer(certificate, key)


def _create_issuer(
    layout: files.Layout,
    root: certificates.Issuer,
    who: identity.IssuerIdentity,
    now: Millis,
    random: Random,
) -> certificates.Issuer:
    key = keys.generate(random)
    files.write_secret(layout.issuer_key(who.role), keys.save(key))
    validity = certificates.lasting(now, certificates.ISSUER_DAYS)
    chain = certificates.issue(root, key.public_key(), who, validity, random=random)
    files.replace(layout.issuer_certificate(who.role), chain[0])
    return certificates.below(chain, key)


def make_directory(directory: Path) -> files.Layout:
    """Create an authority's directory; raise ``ConfigurationError`` if it holds one already."""
    layout = files.Layout(directory)
    if layout.record.exists() or layout.root_certificate.exists():
        raise ConfigurationError(
            f"{directory} already holds an authority: a second one would orphan every device of the first"
        )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot create {directory}: {error.strerror}") from error
    return layout


def create_controller(
    layout: files.Layout,
    issuer: certificates.Issuer,
    founding: Founding,
    now: Millis,
    random: Random,
) -> None:
    """Draw a controller's own key and issue its certificate for the founding's region."""
    key = keys.generate(random)
    files.write_secret(layout.controller_key, keys.save(key))
    who = identity.ControllerIdentity(founding.fleet, founding.region, founding.controller)
    validity = certificates.lasting(now, certificates.CONTROLLER_DAYS)
    chain = certificates.issue(issuer, key.public_key(), who, validity, random=random)
    files.replace(layout.controller_certificate, chain[0])
