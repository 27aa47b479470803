"""The one door: REST and event streams in front of the services."""
