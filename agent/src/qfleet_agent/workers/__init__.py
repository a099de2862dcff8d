"""Worker processes: engines run in them, so that a crash or an overrun never harms the agent."""
