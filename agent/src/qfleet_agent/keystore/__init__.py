"""Secret key material shared with other devices: sealed on the disk, counted, each bit used once."""
