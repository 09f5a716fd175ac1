"""Transforms and predicates."""
