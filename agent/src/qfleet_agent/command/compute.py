"""``qfleet-agent compute``: run one work here, outside of the daemon.

Asked by ``qfleet verify --rerun``: an encoded work on standard input, ``auditing.Computed`` on standard
output. It needs no configuration, and has no key.
"""

import platform
import sys
from typing import Any

from qfleet_wire import codec, workload
from qfleet_wire.channel.auditing import Computed

_WORK: Any = workload.Work
_MOST_BYTES = 1 << 30


def run(budget: int) -> int:
    """Run a work within so many bytes."""
    from qfleet_agent.engines import execution  # noqa: PLC0415 - engines belong to no other command

    work = codec.decode(sys.stdin.buffer.read(), _WORK, limit=_MOST_BYTES)
    engine = execution.engine_of(work)
    result = execution.execute(work, budget=budget, report=lambda _: None)
    told = Computed(engine.name, engine.version, platform.machine(), codec.encode(result))
    sys.stdout.buffer.write(codec.encode(told))
    return 0
