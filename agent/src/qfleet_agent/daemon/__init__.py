"""The running agent: one loop that feeds the machine and carries out what it wants."""
