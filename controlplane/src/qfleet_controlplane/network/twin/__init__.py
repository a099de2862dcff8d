"""The live twin: a scenario as it runs, with stores that fill and drain, faults and alarms. All simulated."""
