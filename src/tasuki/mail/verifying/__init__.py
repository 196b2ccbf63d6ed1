"""The own address: a link shows that its user reads it."""
