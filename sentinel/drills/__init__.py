"""Scenarios: recorded-like conversations that are replayed through the production path, for the demo and for drills."""
