"""The key process as a whole: what joins key exchange, the key store, key delivery and the lines to peers."""
