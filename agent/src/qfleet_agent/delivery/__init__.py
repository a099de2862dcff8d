"""Keys for applications on this device, by ETSI GS QKD 014 V1.1.1, in a process of its own."""
