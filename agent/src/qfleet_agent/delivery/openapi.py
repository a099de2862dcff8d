"""The OpenAPI 3.1 description of what is served, for applications and for the test that holds us to it."""

from typing import Any, Final

import msgspec

from qfleet_agent.delivery import formats
from qfleet_agent.delivery.requests import MOST_SAE_ID, Bounds

PATH: Final = "/openapi.json"

_FORMATS = (formats.Status, formats.KeyRequest, formats.KeyContainer, formats.KeyIds, formats.Error)


def describe(version: str, bounds: Bounds) -> dict[str, Any]:
    """Return the description; ``bounds`` are those of this KME, sizes in bits."""
    references, components = msgspec.json.schema_components(
        _FORMATS, ref_template="#/components/schemas/{name}"
    )
    named = dict(zip((one.__name__ for one in _FORMATS), references, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Key delivery by ETSI GS QKD 014 V1.1.1",
            "version": version,
            "description": "Every caller proves itself with a client certificate (mutual TLS).",
        },
        "paths": {
            "/api/v1/keys/{slave_SAE_ID}/status": _path(
                "slave_SAE_ID", get=_operation("getStatus", named["Status"], named)
            ),
            "/api/v1/keys/{slave_SAE_ID}/enc_keys": _path(
                "slave_SAE_ID",
                get=_operation("getKey", named["KeyContainer"], named, parameters=_sizes(bounds)),
                post=_operation("postKey", named["KeyContainer"], named, body="KeyRequest"),
            ),
            "/api/v1/keys/{master_SAE_ID}/dec_keys": _path(
                "master_SAE_ID",
                get=_operation("getKeyWithKeyIds", named["KeyContainer"], named, parameters=[_KEY_ID]),
                post=_operation("postKeyWithKeyIds", named["KeyContainer"], named, body="KeyIds"),
            ),
        },
        "components": {"schemas": components, "securitySchemes": {"certificate": {"type": "mutualTLS"}}},
        "security": [{"certificate": []}],
    }


def _path(parameter: str, **operations: Any) -> dict[str, Any]:
    sae = {
        "name": parameter,
        "in": "path",
        "required": True,
        "description": "SAE ID in URL encoding.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MOST_SAE_ID},
    }
    return {"parameters": [sae], **operations}


def _operation(
    name: str,
    answer: dict[str, Any],
    named: dict[str, dict[str, Any]],
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: str = "",
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "responses": {
            "200": _response("As asked.", answer),
            "400": _response("The request cannot be answered as it is.", named["Error"]),
            "401": {"description": "The caller is not one of those who may ask. No body."},
            "503": _response("No keys now, or the KME of the slave does not answer.", named["Error"]),
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        content = {"application/json": {"schema": named[body]}}
        operation["requestBody"] = {"required": body == "KeyIds", "content": content}
    return operation


def _response(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _sizes(bounds: Bounds) -> list[dict[str, Any]]:
    number = {"type": "integer", "default": 1, "minimum": 1, "maximum": bounds.max_key_per_request}
    size = {
        "type": "integer",
        "default": bounds.key_size,
        "minimum": bounds.min_key_size,
        "maximum": bounds.max_key_size,
        "multipleOf": 8,
    }
    return [
        {"name": "number", "in": "query", "description": "How many keys.", "schema": number},
        {"name": "size", "in": "query", "description": "Bits of each key.", "schema": size},
    ]


_KEY_ID: Final = {
    "name": "key_ID",
    "in": "query",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}
