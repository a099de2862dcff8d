"""The HTTP API: it authenticates, translates and answers; it decides nothing.

Routes are the ones of ``qfleet_wire.api``; every error answer is a ``Problem``.
"""
