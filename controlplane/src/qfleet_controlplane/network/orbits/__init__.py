"""Where satellites are, seen from where, and when: propagation, passes, night and shadow."""
