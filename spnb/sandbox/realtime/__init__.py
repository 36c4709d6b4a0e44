"""Events over MQTT: the broker and the names of its topics."""
