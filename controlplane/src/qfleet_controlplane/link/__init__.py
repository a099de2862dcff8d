"""The only place where bytes from the network come in: from MQTT to opened items, and back.

Nothing unverified leaves it, and nothing that a stranger sends can make it raise.
"""
