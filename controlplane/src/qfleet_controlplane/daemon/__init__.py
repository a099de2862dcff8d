"""The running control plane: store, service, link, broker and API, started and stopped in order."""
