"""The inbox of development: takes every mail, delivers none, and shows them to admins."""
