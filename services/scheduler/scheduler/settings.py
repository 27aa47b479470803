"""What the scheduler reads from the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from common.settings import EnvironmentSettings


class Settings(EnvironmentSettings):
    """Names are those of the environment, in capitals, after `SCHEDULER_`."""

    model_config = SettingsConfigDict(
        env_prefix="SCHEDULER_", env_file=".env", extra="ignore", env_ignore_empty=True
    )

    sweep_seconds: float = Field(default=60.0, gt=0)
    """How often runs past their deadline are looked for."""
