"""Mails about tasks that have ended, to those who asked for them."""
