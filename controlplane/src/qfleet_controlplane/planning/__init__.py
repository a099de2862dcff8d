"""Pure planning: what a job costs, how it splits, who runs it, and what its results add up to."""
