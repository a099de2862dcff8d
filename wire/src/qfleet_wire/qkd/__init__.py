"""How much secret key a quantum link gives: formulas that both ends of an exchange and the planner share.

Everything here is arithmetic over numpy arrays, with its source by paper and equation: no state, no clock, no
random source. A scalar is an array without axes; arrays broadcast, so that a whole pass or a whole network is
one call. Needs the extra ``qfleet-wire[qkd]``; nothing else in this package imports it, for the daemon on a
device starts without numpy.
"""
