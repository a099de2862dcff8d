"""The broker that carries sealed messages: an embedded NATS server, or any MQTT 3.1.1 broker by URL."""
