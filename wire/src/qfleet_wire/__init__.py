"""What both sides of qfleet agree on: names, topics, messages, the sealed channel, specifications.

Nothing here opens a socket, reads a clock or draws a random number: time and randomness are
arguments. Nothing here imports another member of the workspace.
"""
