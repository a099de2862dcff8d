"""The digital twin of the quantum key network: pure models, and what follows from a scenario."""
