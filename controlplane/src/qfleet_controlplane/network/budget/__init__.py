"""How much light, and then how much key, comes over a link: downlinks by optics and air, fibres by length.

Arrays throughout: a whole constellation's passes are one call.
"""
