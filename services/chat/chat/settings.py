"""What chat reads from the environment: nothing of its own yet."""

from pydantic_settings import SettingsConfigDict

from common.settings import EnvironmentSettings


class Settings(EnvironmentSettings):
    """Names are those of the environment, in capitals, after `CHAT_`."""

    model_config = SettingsConfigDict(
        env_prefix="CHAT_", env_file=".env", extra="ignore", env_ignore_empty=True
    )
