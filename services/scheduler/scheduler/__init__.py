"""The process manager: jobs, runs and their items."""
