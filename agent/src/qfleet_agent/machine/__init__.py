"""The pure decider of the agent: events in, effects out; no clock, random source, file or socket."""
