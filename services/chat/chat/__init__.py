"""Conversations and insights about a portfolio's risk: not built yet, but in its place."""
