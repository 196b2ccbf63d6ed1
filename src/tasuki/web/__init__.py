"""How Tasuki speaks HTTP: who is calling, pages, problem+json, event streams, the server."""
