"""What ``qfleet check`` finds out, as data: configuration, transport, token, fleet."""

from typing import Literal

import msgspec

from qfleet import configuration, errors, wording
from qfleet.fleet import Fleet


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; ``exit_code`` is not 0 where nothing works without it."""

    level: Literal["ok", "warning", "error"]
    subject: str
    text: str
    hint: str = ""
    exit_code: int = 0


def examine() -> list[Finding]:
    """Look at one thing after the other and stop at the first without which nothing works."""
    findings: list[Finding] = []
    try:
        settings = configuration.load()
        findings.append(
            Finding(
                "ok", "configuration", f"URL from {settings.url_source}, token from {settings.token_source}"
            )
        )
        with Fleet(settings.url, settings.token, timeout_s=5.0) as fleet:
            findings.append(_transport(settings.url))
            findings.extend(_fleet(fleet))
    except errors.QFleetError as error:
        subject = "configuration" if not findings else "control plane"
        findings.append(Finding("error", subject, str(error), error.hint, error.exit_code))
    return findings


def _transport(url: str) -> Finding:
    # httpx takes longer to import than most commands take to run
    from qfleet import transport  # noqa: PLC0415

    if url.startswith("https://"):
        return Finding("ok", "transport", "TLS")
    if transport.is_loopback(url):
        return Finding("ok", "transport", "plain HTTP that does not leave this machine")
    return Finding(
        "warning",
        "transport",
        f"{url} is plain HTTP: whoever is on the way reads the token and the jobs",
        "put TLS 1.3 in front of the control plane and use https://",
    )


def _fleet(fleet: Fleet) -> list[Finding]:
    view = fleet.overview()
    told = f"fleet {view.fleet}, region {view.region}, version {view.version}, the token is accepted"
    findings = [Finding("ok", "control plane", told)]
    online = f"{view.online} of {wording.counted(view.devices, 'device')} online"
    if view.online:
        findings.append(Finding("ok", "devices", online))
    else:
        findings.append(
            Finding("warning", "devices", online, "jobs wait until a device is online: `qfleet device list`")
        )
    return findings
