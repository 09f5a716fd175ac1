"""Schema languages: parsing, canonical text, normalisation, compatibility. One package or module a language."""
