"""A shop: a small application that had users and orders before it had Tasuki."""
