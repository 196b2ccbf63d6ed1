"""Telling people: an inbox that every tab agrees about, and a push to whoever is there."""
