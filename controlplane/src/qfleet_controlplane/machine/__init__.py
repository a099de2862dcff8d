"""The control plane's decider: events in, effects out; no clock, no network, no database."""
