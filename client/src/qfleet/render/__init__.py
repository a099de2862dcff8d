"""What people see in the terminal. Nothing here speaks with the network or decides anything."""
