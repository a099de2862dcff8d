"""Application packs: a domain problem in, jobs out, the answer beside its classical baseline.

A pack speaks with a fleet through the SDK alone. It states what the classical method gives for the
same problem, and when the quantum method is worse or slower it says so.
"""
