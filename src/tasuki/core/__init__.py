"""Framework-free ground: clock, ids, errors, settings mechanics, database, logging."""
