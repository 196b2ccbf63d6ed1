"""Mail: one message to one address, handed to a mail system."""
