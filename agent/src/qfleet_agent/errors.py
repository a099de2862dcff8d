"""The exception tree of the agent, split into "we misused it" and "they misbehaved"."""


class AgentError(Exception):
    """Base of every error that qfleet_agent raises; its docstring is the default message."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or type(self).__name__))


class LocalError(AgentError):
    """Something on this device is wrong: a setting, a file, a call."""


class RemoteError(AgentError):
    """The broker or the controller did something that must not be accepted."""


class SettingsInvalid(LocalError, ValueError):
    """The configuration file is not valid."""


class ProfileNotFound(LocalError, ValueError):
    """No profile of that name, or none that matches this device."""


class TokenInvalid(LocalError, ValueError):
    """The join token cannot be used."""


class NotEnrolled(LocalError):
    """This device has no identity yet: run `qfleet-agent enrol` first."""


class AlreadyEnrolled(LocalError):
    """This device has an identity already."""


class IllegalStep(LocalError):
    """A task was asked to take a step that its state does not have."""


class JournalUnusable(LocalError):
    """The journal cannot be opened, or was made by another version of the agent."""


class JournalDamaged(JournalUnusable):
    """What the journal holds does not read."""


class KeyStoreUnusable(LocalError):
    """The key store cannot be opened, or was made by another version of the agent."""


class KeyStoreFull(LocalError):
    """The key store or its disk has no room for another block."""


class KeysExhausted(LocalError):
    """The link has not as many unused bits as were asked for."""


class BlockRefused(LocalError, ValueError):
    """A block of key material cannot be taken or changed like this."""


class BitsUsed(BlockRefused):
    """Bits were asked for that have a purpose already, or that are not the asker's to use."""

    def __init__(self, message: str | None = None, block: bytes = b"") -> None:
        super().__init__(message)
        self.block = block


class SealBroken(LocalError):
    """What is stored does not open: another key sealed it, or it is damaged."""


class AnnouncementRefused(LocalError):
    """A key that the peer announced cannot be made here; ``blocks`` are those that are at fault."""

    def __init__(self, message: str | None = None, blocks: tuple[bytes, ...] = ()) -> None:
        super().__init__(message)
        self.blocks = blocks


class AnnouncementExpired(AnnouncementRefused):
    """The key's time is over: it can only be withdrawn."""


class KeyNotFound(LocalError):
    """No such key waits for this application."""


class NotNamed(LocalError):
    """The key was made for other applications."""


class KeyDeliveryUnusable(LocalError):
    """Keys cannot be delivered with these settings."""


class CertificatesInvalid(LocalError, ValueError):
    """A certificate for key delivery cannot be made."""


class RotatorUnusable(LocalError):
    """A preshared key cannot be rotated with these settings."""


class InterfaceRefused(LocalError):
    """The WireGuard interface did not take a key."""


class StateInUse(LocalError):
    """Another agent runs on this state directory."""


class ReconciliationUnusable(LocalError, ValueError):
    """Keys or settings do not fit a reconciliation."""


class KeyLinkInvalid(LocalError):
    """Bytes between the agent and its key process are not what they must be."""


class KeyLinkClosed(LocalError):
    """The agent cannot be reached from its key process; it is tried again."""


class PeerCut(LocalError):
    """The way to another device was cut: it, or this end, has begun anew."""

    def __init__(self, peer: str, unconfirmed: int) -> None:
        super().__init__(
            f"the way to device {peer!r} was cut: {unconfirmed} messages to it may not have arrived, "
            "and some of its own may be lost"
        )
        self.peer = peer
        self.unconfirmed = unconfirmed


class PeerMessageTooLong(LocalError, ValueError):
    """A message to another device is over the limit: split it."""


class KeyParcelInvalid(RemoteError, ValueError):
    """A message of another device's key process is none."""


class PartEnded(LocalError):
    """A part of the daemon that must last has ended."""


class BrokerUnreachable(RemoteError):
    """The broker cannot be reached or refused the login."""


class EnrolmentFailed(RemoteError):
    """The controller did not enrol this device."""


class ControllerSilent(RemoteError):
    """The controller did not answer in time."""


class ReconciliationRefused(RemoteError, ValueError):
    """The other end's message of a reconciliation must not be accepted."""


class KeyNotDelivered(RemoteError):
    """The key delivery gave no key. ``for_good``: this one will never come."""

    def __init__(self, message: str | None = None, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good


class RotatorSilent(RemoteError):
    """The rotator at the other end of a tunnel does not answer."""


class RotationRefused(RemoteError, ValueError):
    """The rotator at the other end of a tunnel said what must not be accepted."""
