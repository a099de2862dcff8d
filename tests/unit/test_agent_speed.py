"""When a device measures its engines: in a pause between tasks, and after a while anyway."""

from qfleet_agent.daemon import speed


def test_idle_device_measures_after_a_quiet_while() -> None:
    pause = speed.Pause(100.0)

    assert not pause.is_over(100.0 + speed.QUIET_S - 0.1, busy=False)
    assert pause.is_over(100.0 + speed.QUIET_S, busy=False)


def test_a_task_begins_the_quiet_while_again() -> None:
    pause = speed.Pause(0.0)

    assert not pause.is_over(speed.QUIET_S - 0.5, busy=True)
    assert not pause.is_over(speed.QUIET_S + 1.0, busy=False)
    assert pause.is_over(2 * speed.QUIET_S - 0.5, busy=False)


def test_a_device_that_is_always_busy_measures_in_the_end() -> None:
    pause = speed.Pause(0.0)

    assert not any(pause.is_over(float(now), busy=True) for now in range(int(speed.PATIENCE_S)))
    assert pause.is_over(speed.PATIENCE_S, busy=True)
