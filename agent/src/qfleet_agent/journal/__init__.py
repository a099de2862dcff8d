"""What must survive a power cut: one SQLite file, and private keys in files of their own."""
