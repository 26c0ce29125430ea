"""Tickets: from an issue to a delivered brief, throttled, and what people changed there read back."""
