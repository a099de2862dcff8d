"""The one loop: events to the machine, its effects to the store, then to the link and watchers."""
