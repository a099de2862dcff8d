"""Finance: risk and option prices by amplitude estimation, and portfolios."""
