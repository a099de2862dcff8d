"""The fleet's authority: its keys on disk, and the doers around the channel's pure rules.

The root key is needed only to create issuers and to sign revocations of controllers; ``run``
works without it, so it can stay offline.
"""
