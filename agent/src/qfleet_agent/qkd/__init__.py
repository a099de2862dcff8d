"""Keys from a quantum channel: what two agents compute of photons sent and seen (extra ``keys``)."""
