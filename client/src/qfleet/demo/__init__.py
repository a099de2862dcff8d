"""``qfleet demo``: a control plane and three devices as processes of this machine.

It starts them through their installed commands and speaks with them through the API, as anybody
would. It leaves nothing running unless it was asked to, however it ends.
"""
