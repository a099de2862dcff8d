"""The qfleet daemon on a device: a sealed link, a journal, and worker processes.

Floors, top to bottom: ``command``; ``daemon``; ``link`` and ``enrolment``; ``journal``, ``workers``
and ``engines``; ``machine``, which is pure.
"""

__version__ = "0.2.0"
