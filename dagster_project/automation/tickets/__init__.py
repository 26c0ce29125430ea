"""Tickets: rendering, selection and throttling, exactly-once delivery, and the pull of people's changes."""
