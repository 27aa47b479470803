"""What marketdata reads from the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from common.settings import EnvironmentSettings


class Settings(EnvironmentSettings):
    """Names are those of the environment: `MARKETDATA_SEED` and so on."""

    model_config = SettingsConfigDict(
        env_prefix="MARKETDATA_", env_file=".env", extra="ignore", env_ignore_empty=True
    )

    seed: int | None = Field(default=None, ge=0, lt=2**64)
    """Which simulated market; the simulator's own choice when not given."""
    coverage_threshold: float = Field(default=0.8, gt=0, le=1)
    """Share of a book's symbols that must be priced for `prices.ready`."""
    history_sessions: int = Field(default=780, ge=3)
    """How many sessions up to `as_of` a panel shows."""
    reference_sessions: int = Field(default=2_600, ge=3)
    """How many its reference does: the funds that factors are made of, sectors, volatility."""
    loads_ahead: bool = True
    """Whether what every panel shows is loaded when the service starts, not with the first book."""
