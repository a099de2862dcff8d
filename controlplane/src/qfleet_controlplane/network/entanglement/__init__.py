"""What entangled pairs are worth after all that happens to them, and which way to make them."""
