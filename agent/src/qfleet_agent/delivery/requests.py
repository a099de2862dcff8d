"""Reads a request: from method, path, query and body to what is asked, or a refusal; pure.

What the standard leaves open is read strictly: an unknown field or parameter is a mistake that
its sender must hear of, since it may have meant a condition that would not be kept.
"""

import re
import urllib.parse
import uuid
from typing import Final, NamedTuple, TypeVar

import msgspec

from qfleet_agent.delivery.formats import KeyIds, KeyRequest
from qfleet_agent.delivery.refusals import (
    NOT_MULTIPLE,
    UNSUPPORTED,
    BadRequest,
    NoSuchMethod,
    NoSuchPath,
)
from qfleet_wire import nearest

MOST_BODY_BYTES: Final = 65_536
MOST_DEPTH: Final = 16
"""How deeply JSON may be nested."""
MOST_SAE_ID: Final = 255
"""Characters of an SAE ID."""
ROOT: Final = ("", "api", "v1", "keys")
METHODS: Final = {"status": ("GET",), "enc_keys": ("GET", "POST"), "dec_keys": ("GET", "POST")}

_T = TypeVar("_T")
_NUMBER = re.compile(r"[0-9]{1,9}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Request(NamedTuple):
    """A request as it came; ``path`` and ``query`` are not decoded."""

    method: str
    path: str
    query: str
    content_type: str
    body: bytes


class Bounds(NamedTuple):
    """What a KME allows; sizes in bits."""

    key_size: int = 256
    min_key_size: int = 64
    max_key_size: int = 65_536
    max_key_per_request: int = 128
    max_sae_id_count: int = 8


class Status(NamedTuple):
    """``GET /api/v1/keys/{slave_SAE_ID}/status``."""

    slave: str


class Encrypt(NamedTuple):
    """``…/enc_keys``: new keys for the caller and the slaves; ``size`` in bits."""

    slave: str
    additional: tuple[str, ...]
    number: int
    size: int
    unhandled: tuple[str, ...]
    """Names of the optional extensions, none of which is handled."""


class Decrypt(NamedTuple):
    """``…/dec_keys``: keys that the master was given, by their 16-byte ids."""

    master: str
    keys: tuple[bytes, ...]


def read(request: Request, bounds: Bounds) -> Status | Encrypt | Decrypt:
    """Return what is asked. Raises ``Refused``."""
    sae, method = _target(request)
    if method == "status":
        _parameters(request, ())
        return Status(sae)
    if method == "enc_keys":
        return _encrypt(sae, _key_request(request), bounds)
    return Decrypt(sae, _ids(request, bounds))


def _target(request: Request) -> tuple[str, str]:
    *root, sae, method = request.path.split("/") if request.path.count("/") == 5 else ("", "", "")
    if tuple(root) != ROOT or method not in METHODS:
        raise NoSuchPath(
            "there is only /api/v1/keys/{SAE_ID}/status, /enc_keys and /dec_keys, and /openapi.json"
        )
    if request.method not in METHODS[method]:
        raise NoSuchMethod(f"{method} takes {' and '.join(METHODS[method])}")
    return _sae_id(_decoded(sae)), method


def _sae_id(text: str) -> str:
    if not 0 < len(text) <= MOST_SAE_ID or not text.isprintable():
        raise BadRequest(f"an SAE ID has 1 to {MOST_SAE_ID} printable characters")
    return text


def _decoded(text: str) -> str:
    try:
        return urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("an SAE ID in a path is UTF-8 in URL encoding") from None


def _key_request(request: Request) -> KeyRequest:
    if request.method == "GET":
        given = _parameters(request, ("number", "size"))
        numbers = {name: _integer(name, text) for name, text in given.items()}
        return KeyRequest(number=numbers.get("number", 1), size=numbers.get("size"))
    _parameters(request, ())
    return _body(request, KeyRequest) if request.body else KeyRequest()


def _encrypt(slave: str, asked: KeyRequest, bounds: Bounds) -> Encrypt:
    size = bounds.key_size if asked.size is None else asked.size
    if not 1 <= asked.number <= bounds.max_key_per_request:
        raise BadRequest(f"number shall be 1 to max_key_per_request, {bounds.max_key_per_request}")
    if size % 8:
        raise BadRequest(NOT_MULTIPLE)
    if not bounds.min_key_size <= size <= bounds.max_key_size:
        raise BadRequest(
            f"size shall be min_key_size to max_key_size, {bounds.min_key_size} to {bounds.max_key_size}"
        )
    if len(asked.additional_slave_sae_ids) > bounds.max_sae_id_count:
        raise BadRequest(
            f"additional_slave_SAE_IDs shall be at most max_SAE_ID_count, {bounds.max_sae_id_count}"
        )
    if names := _names(asked.extension_mandatory):
        raise BadRequest(
            UNSUPPORTED, *({"extension_mandatory_unsupported": f"{name} is not supported"} for name in names)
        )
    return Encrypt(
        slave,
        tuple(map(_sae_id, asked.additional_slave_sae_ids)),
        asked.number,
        size,
        _names(asked.extension_optional),
    )


def _names(extensions: tuple[dict[str, object], ...]) -> tuple[str, ...]:
    return tuple(name[:80] for one in extensions for name in one)


def _ids(request: Request, bounds: Bounds) -> tuple[bytes, ...]:
    if request.method == "GET":
        given = _parameters(request, ("key_ID",))
        if not given:
            raise BadRequest("GET dec_keys needs the parameter key_ID")
        texts = tuple(given.values())
    else:
        _parameters(request, ())
        texts = tuple(one.key_id for one in _body(request, KeyIds).key_ids)
    if not 1 <= len(texts) <= bounds.max_key_per_request:
        raise BadRequest(f"key_IDs shall be 1 to max_key_per_request, {bounds.max_key_per_request}")
    return tuple(map(_id, texts))


def _id(text: str) -> bytes:
    if _UUID.fullmatch(text) is None:
        raise BadRequest(f"key_ID {text[:40]!r} is not a UUID")
    return uuid.UUID(text).bytes


def _parameters(request: Request, allowed: tuple[str, ...]) -> dict[str, str]:
    """Read the query: each parameter once, and none but those that are allowed."""
    try:
        pairs = urllib.parse.parse_qsl(
            request.query, keep_blank_values=True, strict_parsing=bool(request.query), errors="strict"
        )
    except ValueError:
        raise BadRequest("the query is not of the form name=value&name=value") from None
    given = dict(pairs)
    if unknown := sorted(given.keys() - set(allowed)):
        wanted = f"only {' and '.join(allowed)}" if allowed else "no parameter"
        raise BadRequest(f"{request.method} takes {wanted} in the query, not {unknown[0][:80]!r}")
    if len(pairs) > len(given):
        raise BadRequest("a parameter stands in the query twice")
    return given


def _integer(name: str, text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise BadRequest(f"{name} shall be a whole number, not {text[:40]!r}")
    return int(text)


def _body(request: Request, kind: type[_T]) -> _T:
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise BadRequest("the body shall be JSON, with Content-Type: application/json")
    if len(request.body) > MOST_BODY_BYTES:
        raise BadRequest(f"the body has more than {MOST_BODY_BYTES} bytes")
    if depth(request.body) > MOST_DEPTH:
        raise BadRequest(f"the body is nested more than {MOST_DEPTH} deep")
    try:
        return msgspec.json.decode(request.body, type=kind)
    except msgspec.MsgspecError as error:
        hint = nearest.hint(str(error), kind)
        raise BadRequest(f"{error}; {hint}" if hint else str(error)) from None
    except ValueError:
        raise BadRequest("the body is not UTF-8") from None


def depth(text: bytes) -> int:
    """Return a bound on how deeply JSON is nested, exact where it could matter."""
    if text.count(b"[") + text.count(b"{") <= MOST_DEPTH:
        return MOST_DEPTH
    level = deepest = 0
    for byte in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", text, flags=re.DOTALL):
        if byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif byte in b"]}":
            level -= 1
    return deepest
