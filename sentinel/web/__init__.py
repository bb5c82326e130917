"""HTTP in: ingest, API, pages, security."""
