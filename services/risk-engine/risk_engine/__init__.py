"""Replicas of books in, risk numbers out."""
