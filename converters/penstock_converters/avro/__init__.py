"""The Avro converter: mapping (schemas), codec (bytes), converter (wiring)."""
