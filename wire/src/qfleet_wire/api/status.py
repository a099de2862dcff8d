"""The states of a job."""

from typing import Literal

JobStatus = Literal["planned", "running", "succeeded", "partial", "failed", "cancelled"]
FINISHED: frozenset[str] = frozenset({"succeeded", "partial", "failed", "cancelled"})
