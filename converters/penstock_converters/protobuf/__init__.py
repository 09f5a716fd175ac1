"""The Protobuf converter: mapping (schemas), codec (values), converter (wiring)."""
