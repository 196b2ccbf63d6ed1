"""Addresses that are written to no more, and the links by which people take themselves out."""
