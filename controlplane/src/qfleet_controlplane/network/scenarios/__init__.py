"""The scenarios that ship, as files beside this one."""

import tomllib
from functools import cache
from importlib import resources


@cache
def titles() -> dict[str, str]:
    """Return each scenario's name and what it is, by name."""
    return {name: str(tomllib.loads(text_of(name))["title"]) for name in _names()}


def text_of(name: str) -> str:
    """Return the text of a scenario that ships."""
    return resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def _names() -> list[str]:
    files = (file.name for file in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))
