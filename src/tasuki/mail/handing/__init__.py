"""Hands messages over, each under a lease of its own, and keeps what became of it."""
