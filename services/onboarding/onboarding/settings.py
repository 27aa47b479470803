"""What onboarding reads from the environment."""

from common.settings import EnvironmentSettings


class Settings(EnvironmentSettings):
    """Names are those of the environment, in capitals."""

    deterministic_uuids: bool = True
    """Derive ids from user, name and lots, so that the same book has the same ids elsewhere."""
