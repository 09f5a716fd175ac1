"""The JSON Schema converter: mapping (schemas), codec (text), converter (wiring)."""
