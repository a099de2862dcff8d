"""What the finance commands refuse before they speak to a fleet."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from qfleet_applications.finance.command import application

CALL = "contract,kind,spot [EUR],volatility,strike [EUR],rate,days [d]\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["risk", "book.csv", "--history", "sp500"], "give one of them"),
        (["risk", "book.csv"], "cannot be read"),
        (["risk", "--history", "dax"], "bundled: sp500, nasdaq, wti"),
        (["risk", "--level", "95"], "--level 95"),
        (["risk", "--qubits", "20"], "20 qubits"),
        (["risk", "--currency", "USD"], "[EUR], and [USD] is needed"),
        (["option", "--contract", "swap"], "there are call, put, spread, basket"),
        (["option", "--contract", "basket", "--qubits", "10"], "need 21 qubits"),
        (["option", "--contract", "basket", "--qubits", "6"], "need 13 qubits"),
        (
            ["option", "three.csv", "--qubits", "5"],
            "3 contracts on 3072 grid points in all, the widest of 11 qubits",
        ),
        (["option", "--scale", "2"], "--scale 2"),
        (["option", "far.csv"], "pays nothing anywhere"),
        (["risk", "--history", "sp500", "--qubits", "11"], "1 to 10; with the payoff they make 12"),
        (["risk", "--history", "sp500", "--window", "5"], "--window 5"),
        (["portfolio", "--choose", "9"], "9 of 8 assets"),
        (["portfolio", "--per-year", "250"], "monthly"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("far.csv").write_text(f"{CALL}far,call,2,0.1,20,0.05,40\n")
    basket = "".join(f"{one},call,2,0.1,2,0.05,40,0.5,0\n" * 2 for one in "abc")
    Path("three.csv").write_text(f"{CALL.strip()},weight,correlation\n{basket}")
    ended = CliRunner().invoke(application, arguments)
    assert ended.exit_code == 2
    assert words in " ".join(ended.stderr.split())
