"""Messages between two devices, for the key process: sealed end to end, in order, each once, or a cut.

``stream`` decides and is pure; ``line`` acts for one peer, ``network`` for all. Forwarding promises nothing,
so everything is repeated here until the other device has confirmed it.
"""
