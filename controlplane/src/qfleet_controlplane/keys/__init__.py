"""Decides which key sessions and relays run over the links of the network twin. Pure; no key is seen here."""
