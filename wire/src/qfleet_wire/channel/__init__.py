"""The sealed channel: identity, enrolment, handshake, resumption and envelopes.

The broker carries these bytes and is never trusted with them. Everything here is pure: time is
an argument in milliseconds, randomness is a ``Callable[[int], bytes]``. Only ML-KEM encapsulation,
HPKE and ML-DSA signing draw their own randomness, inside ``cryptography``.

Floors, top to bottom: ``peering``; ``peer_handshake``; ``initiator`` and ``responder`` (handshake and
resumption of either side), ``enrolment``, ``sessions``, ``peer_sessions``, ``verification``; ``schedule``,
``renewal``, ``rates``; ``resumption``, ``revocation``, ``authority``, ``session``, ``provenance``,
``auditing``; ``chains``, ``clock``; ``certificates``, ``invitation``, ``suites``; ``keys``, ``identity``,
``peer_frames``, ``frames``, ``xwing``; ``framing``; ``derivation``, ``labels``.

Two devices speak end to end through ``peering``; a controller forwards their frames as opaque bodies.
"""
