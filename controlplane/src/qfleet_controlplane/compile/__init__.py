"""Programs, observables and whole requests, checked and compiled when they are submitted.

What leaves this package can run on a device as it is; whatever a device could not do is refused
here, with line, column and a hint. The package is pure: it reads no file, clock or socket.
"""
