"""Schema languages: parsing, canonical text, normalization, compatibility. One package or module a language."""
