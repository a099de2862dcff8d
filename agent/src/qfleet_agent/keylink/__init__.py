"""The local socket between the agent's daemon and its key process (``qfleet-agent keys``).

The daemon keeps the link to the controller and knows no keys between devices; the key process holds them
and knows no broker. The one carries sealed bodies for the other.
"""
