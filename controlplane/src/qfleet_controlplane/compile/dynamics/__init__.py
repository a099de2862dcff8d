"""``dynamics.solve``: a request with formulas and operators as text → a checked system.

Text is read by parsers of our own and never run. A fault is told with its field and column.
"""
