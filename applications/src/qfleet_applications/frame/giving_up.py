"""Giving up a command at a terminal: by Ctrl-C, by ``kill``, or because the terminal is gone."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class GivenUp(KeyboardInterrupt):
    """Somebody ended the command; ``exit_code`` is 128 and the signal's number, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextmanager
def raised() -> Iterator[None]:
    """Let the signals that end a command raise ``GivenUp``, so that its jobs are cancelled on the way out.

    One that is ignored stays so: whoever started the command with ``nohup`` wants it to go on.
    """

    def give_up(number: int, _frame: FrameType | None) -> NoReturn:
        raise GivenUp(number)

    # signal.Signals has SIGHUP on Unix alone
    ending = [signal.SIGINT, signal.SIGTERM, *(one for one in signal.Signals if one.name == "SIGHUP")]
    before = {number: signal.getsignal(number) for number in ending}
    heeded = [number for number, handler in before.items() if handler not in {signal.SIG_IGN, None}]
    for number in heeded:
        signal.signal(number, give_up)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])
