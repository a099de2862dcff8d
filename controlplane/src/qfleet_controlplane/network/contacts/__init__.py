"""Which contacts carry a key from one site to another, and how much of each is still free."""
