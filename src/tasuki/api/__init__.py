"""Every router of Tasuki, mounted under its version."""
