"""Information reconciliation: two keys that differ in a few bits become one, at a counted price."""
