"""Server-sent events, patience with outages, configuration."""

from pathlib import Path

import pytest

from qfleet import configuration, errors, events, outage, transport


def test_events_are_read_as_the_standard_says() -> None:
    text = ": comment\n\nevent: job\ndata: 1\ndata:2\nid: 7\n\ndata:  x\n\nevent: empty\n\ndata: cut"
    assert list(events.parse(text.split("\n"))) == [
        events.Event("job", "1\n2"),
        events.Event("message", " x"),
    ]


def test_patience_pauses_longer_each_time_and_ends() -> None:
    patience = outage.Patience(10.0)
    away = errors.Unreachable()
    pauses = [patience.failure(away, now) for now in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)]
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.0, 3.0]
    with pytest.raises(errors.Unreachable):
        patience.failure(away, 10.0)


def test_patience_begins_anew_after_an_answer() -> None:
    patience = outage.Patience(10.0)
    away = errors.Unreachable()
    patience.failure(away, 0.0)
    patience.success()
    assert patience.failure(away, 100.0) == 0.2


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("QFLEET_URL", raising=False)
    monkeypatch.delenv("QFLEET_TOKEN_FILE", raising=False)
    return tmp_path


def test_what_is_saved_is_loaded_and_private(home: Path) -> None:
    file = configuration.save("http://127.0.0.1:1", "secret-token")
    assert file == home / "qfleet" / "config.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    settings = configuration.load()
    assert (settings.url, settings.token) == ("http://127.0.0.1:1", "secret-token")
    assert "secret-token" not in repr(settings)
    configuration.save("http://127.0.0.1:2", "other")
    assert configuration.load().token == "other"
    assert [entry.name for entry in file.parent.iterdir()] == ["config.toml"]


def test_environment_wins_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration.save("http://127.0.0.1:1", "from-file")
    token = home / "token"
    token.write_text("from-environment\n")
    monkeypatch.setenv("QFLEET_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("QFLEET_TOKEN_FILE", str(token))
    settings = configuration.load()
    assert (settings.url, settings.token) == ("http://127.0.0.1:9", "from-environment")
    assert (settings.url_source, settings.token_source) == ("QFLEET_URL", str(token))


def test_file_that_others_may_read_is_refused(home: Path) -> None:
    configuration.save("http://127.0.0.1:1", "secret-token").chmod(0o644)
    with pytest.raises(errors.UserError, match="mode 0644") as refused:
        configuration.load()
    assert "chmod 600" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('urll = "x"', "did you mean `url`"),
        ("url = 3", "Expected `str"),
        ("url", "not valid TOML"),
        ("", "no URL"),
        ('url = "http://x"', "no token"),
    ],
)
def test_refusals_of_the_file(home: Path, text: str, told: str) -> None:
    file = home / "qfleet" / "config.toml"
    file.parent.mkdir()
    file.touch(mode=0o600)
    file.write_text(text)
    with pytest.raises(errors.UserError, match=told):
        configuration.load()


@pytest.mark.parametrize("token", ["", "two words", "caf\u00e9", "line\nbreak"])
def test_refusal_of_a_token_does_not_show_it(token: str) -> None:
    with pytest.raises(errors.UserError) as refused:
        configuration.check_token(token, "what was given")
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://x", "http://", "http://x:99999", "http://a b", "http://u:p@x", "http://x/?q"],
)
def test_refused_urls(url: str) -> None:
    with pytest.raises(errors.UserError):
        transport.check_url(url)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://[::1]", True),
        ("http://localhost", True),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:  # noqa: FBT001 – a parametrised value
    assert transport.is_loopback(transport.check_url(url + "/")) == loopback
