"""The sealed link to the region's controller: connects, opens sessions, carries batches.

Nothing that has not opened under a session passes beyond here.
"""
