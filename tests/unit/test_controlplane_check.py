import pytest

from qfleet_controlplane.command.check import judge_round_trips


@pytest.mark.parametrize("times", [[40.2] * 9, [44.0] * 9, [88.0, 1.0, 88.0], [1.0, 43.0, 44.0, 45.0, 300.0]])
def test_a_multiple_of_40_ms_is_a_delayed_acknowledgement(times: list[float]) -> None:
    finding = judge_round_trips(times)
    assert finding.grade == "warning"
    assert "set_tcp_nodelay true" in finding.text


@pytest.mark.parametrize("times", [[1.6] * 9, [20.0] * 9, [60.0] * 9, [1.0, 2.0, 44.0], [35.0] * 9])
def test_other_round_trips_are_what_they_are(times: list[float]) -> None:
    assert judge_round_trips(times).grade == "ok"
