"""What every pack stands on: its data, its jobs on the fleet, and a report with both answers.

A pack states a problem as a ``study.Study``; ``carrying.carry_out`` prices it, or runs it and writes the
report.
"""
