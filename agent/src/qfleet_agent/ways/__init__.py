"""Ways to the region's broker: what they are, when they are there, which one to take. Pure."""
