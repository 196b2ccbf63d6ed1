"""Streaming downloads: rows at the database's own speed, visibly whole or visibly broken."""
