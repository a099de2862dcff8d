"""Rate-adaptive LDPC codes: reconciliation in one message, or a few more where that does not suffice."""
