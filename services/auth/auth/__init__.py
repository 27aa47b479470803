"""Users, credentials, sessions and signing keys."""
