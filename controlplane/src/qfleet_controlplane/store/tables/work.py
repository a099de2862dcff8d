"""Jobs, their tasks, and the results that count.

What never changes is apart from what does: a job's request, program and plan are written once, the
state of a region's share of it with every commit that touches it. A task is a row of numbers; what
it computes stands in its job's plan. The primary key of ``results`` is why none is counted twice.
"""

import sqlalchemy as sa

from qfleet_controlplane.store.tables.metadata import METADATA

jobs = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("specification", sa.LargeBinary, nullable=False),
    sa.Column("plan", sa.LargeBinary, nullable=False),
)
"""``request``: JSON of ``api.JobRequest``; the other two MessagePack of the planning structs."""

shares = sa.Table(
    "shares",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("region", sa.Text, primary_key=True, server_default=""),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.BigInteger),
    sa.Column("view", sa.LargeBinary, nullable=False),
    sa.Index(None, "created", "job"),
    sa.Index(None, "status", "created", "job"),
    sa.Index(None, "region", "status"),
)
"""The part of a job that one region runs. ``view``: JSON of the ``api.JobView`` of that part."""

tasks = sa.Table(
    "tasks",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("device", sa.Text),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("losses", sa.Integer, nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("errors", sa.Text, nullable=False),
    sa.Column("excluded", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary),
    sa.Column("region", sa.Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)
"""``region``: whose machine owns it; nobody else changes it.

``errors`` and ``excluded`` are JSON lists, empty text for an empty one.
"""

results = sa.Table(
    "results",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("artefact", sa.LargeBinary),
    sa.Column("batch", sa.LargeBinary, nullable=False),
    sa.Column("batch_position", sa.Integer, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Index(None, "artefact"),
)
"""``raw``: the ``payloads.TaskResult`` as the device encoded it, the bytes its signature covers."""

result_batches = sa.Table(
    "result_batches",
    METADATA,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("digests", sa.LargeBinary, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
)
"""A signed flush: the signature and the SHA-256 digests of its items, 32 bytes each, in order."""

chunks = sa.Table(
    "chunks",
    METADATA,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
"""Pieces of artefacts; the digest is of the whole."""
