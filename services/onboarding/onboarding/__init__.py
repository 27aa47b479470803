"""The book of record: portfolios, positions and their revisions."""
