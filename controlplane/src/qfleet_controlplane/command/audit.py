"""``qfleet-controlplane audit``: whether the parts of a provenance bundle follow from each other.

Asked by ``qfleet verify``: a question on standard input, an answer on standard output. It needs no
configuration and looks at nothing else.
"""

import sys

from qfleet_controlplane.service import auditing
from qfleet_wire import codec
from qfleet_wire.channel.auditing import Question
from qfleet_wire.channel.provenance import MOST_BYTES


def run() -> int:
    """Answer one question."""
    question = codec.decode(sys.stdin.buffer.read(), Question, limit=MOST_BYTES)
    sys.stdout.buffer.write(codec.encode(auditing.audit(question)))
    return 0
