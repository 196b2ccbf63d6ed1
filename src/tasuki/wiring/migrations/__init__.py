"""Database migrations: what changes the schema, one file a step, and how they are run."""
