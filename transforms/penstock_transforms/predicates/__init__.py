"""Predicates: when a transform applies (KIP-585)."""
