"""All services in one process, on a Postgres of its own."""
