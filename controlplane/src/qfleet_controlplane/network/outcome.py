"""How a computation of the network ends: exit codes of its process."""

REFUSED = 3
"""The scenario is not right; standard error says what and where."""
UNEQUIPPED = 4
"""Libraries are missing; standard error says which."""
