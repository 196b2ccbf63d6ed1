"""Sendings: the same words to many."""
