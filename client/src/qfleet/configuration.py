"""Where the control plane is and with which token to speak to it.

``config.toml`` in ``$XDG_CONFIG_HOME/qfleet`` (``~/.config/qfleet``), mode 0600 because it holds
the token; ``QFLEET_URL`` and ``QFLEET_TOKEN_FILE`` override it. A token is read from files only,
never from an argument or an environment variable, where other processes could see it.
"""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from qfleet import errors
from qfleet_wire import profile

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Settings:
    """URL of the control plane and the token for it, and where each was found."""

    url: str
    token: str = field(repr=False)
    url_source: str
    token_source: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"_File(url={self.url!r})"


def path() -> Path:
    """Where the configuration file stands or would stand."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # the XDG specification says that a relative path is to be ignored
    root = Path(base) if base.startswith("/") else Path.home() / ".config"
    return root / "qfleet" / "config.toml"


def load() -> Settings:
    """Read the settings; the environment wins over the file.

    Raises:
        UserError: something is missing, not readable or not safe; the message names it.
    """
    file = path()
    stored = _read(file)
    url, url_source = stored.url, str(file)
    if os.environ.get("QFLEET_URL"):
        url, url_source = os.environ["QFLEET_URL"], "QFLEET_URL"
    token, token_source = stored.token, str(file)
    if os.environ.get("QFLEET_TOKEN_FILE"):
        token_source = os.environ["QFLEET_TOKEN_FILE"]
        token = read_token(Path(token_source))
    if url is None or token is None:
        missing = "URL" if url is None else "token"
        raise errors.UserError(
            f"no {missing} of a control plane is known",
            hint="run `qfleet init`, or set QFLEET_URL and QFLEET_TOKEN_FILE",
        )
    return Settings(url, token, url_source, token_source)


def save(url: str, token: str) -> Path:
    """Write the configuration file with mode 0600 and return its path; replaces an older one whole."""
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            # printable ASCII only, so a JSON string is a TOML string
            stream.write(f"url = {_quoted(url)}\ntoken = {_quoted(check_token(token, 'the token'))}\n")
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    return file


def read_token(file: Path) -> str:
    """Read a token from a file that holds nothing else."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"cannot read the token file {str(file)!r}: {error}") from error
    return check_token(text.strip(), f"the content of {str(file)!r}")


def check_token(token: str, what: str) -> str:
    """Return ``token`` if it can be one; ``what`` names it in the error, which does not show it."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise errors.UserError(
            f"{what} is not an API token",
            hint="a token is one line of letters, digits and punctuation; "
            "`qfleet-controlplane init` prints the first one",
        )
    return token


def _read(file: Path) -> _File:
    try:
        text = file.read_text(encoding="utf-8")
        mode = file.stat().st_mode & 0o777
    except FileNotFoundError:
        return _File()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"cannot read {str(file)!r}: {error}") from error
    if mode & 0o077:
        raise errors.UserError(
            f"{str(file)!r} holds a token and others may read it (mode {mode:04o})",
            hint=f"chmod 600 {file}",
        )
    try:
        return msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise errors.UserError(f"{str(file)!r} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise errors.UserError(f"{str(file)!r}: {profile.explain(error, _File)}") from error


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
