"""Tickets: one request each, for clients that cannot send a header."""

from tasuki.accounts.tickets.service import MAX_TICKETS, TicketService

__all__ = ["MAX_TICKETS", "TicketService"]
