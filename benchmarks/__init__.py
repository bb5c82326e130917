"""Benchmarks that a user can run. They measure and print; they assert nothing, because machines differ."""
