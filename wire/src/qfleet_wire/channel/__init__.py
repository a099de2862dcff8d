"""The sealed channel: identity, enrolment, handshake, resumption and envelopes.

The broker carries these bytes and is never trusted with them. Everything here is pure: time is
an argument in milliseconds, randomness is a ``Callable[[int], bytes]``. Only ML-KEM encapsulation,
HPKE and ML-DSA signing draw their own randomness, inside ``cryptography``.

Floors, top to bottom: ``sessions``, ``responder`` and ``initiator`` (handshake and resumption),
``enrolment``; ``session``; ``resumption``, ``revocation``, ``renewal``, ``invitation``,
``certificates``, ``chains``, ``authority``; ``suites``, ``keys``, ``derivation``, ``labels``.

Device-to-device messages (topic ``peer``) are reserved: a topic and a label exist, no code does.
"""
