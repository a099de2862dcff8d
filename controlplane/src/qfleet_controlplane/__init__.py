"""The control plane: authority, planning, scheduling, store, link to the devices, HTTP API.

Floors, top to bottom: ``command``; ``daemon``; ``api``, ``link`` and ``service``; ``authority``;
``broker`` and ``store``; ``machine``; ``planning``; ``compile``; ``settings``, ``metrics``, ``errors``.
"""
