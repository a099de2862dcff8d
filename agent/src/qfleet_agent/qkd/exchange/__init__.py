"""One session between two devices, as two state machines that speak by messages and ask by effects.

``alice`` and ``bob`` are the two ends, ``states`` the table of their steps, ``messages`` what they say,
``effects`` what whoever runs them has to do. After a restart ``restored`` goes on from what was saved.
"""
