"""What the risk engine reads from the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from common.settings import EnvironmentSettings


class Settings(EnvironmentSettings):
    """Names are those of the environment, in capitals, after `RISK_ENGINE_`."""

    model_config = SettingsConfigDict(
        env_prefix="RISK_ENGINE_", env_file=".env", extra="ignore", env_ignore_empty=True
    )

    workers: int = Field(default=1, ge=1, le=64)
    """Processes that calculate."""
    calculation_seconds: float = Field(default=600.0, gt=0)
    """How long a chunk (200 books) may calculate before its process is killed; after half of that
    without an end the service is not ready."""
    panel_cache_megabytes: int = Field(default=256, ge=1)
    """Memory for columns kept between chunks: a symbol's 780 sessions take 44 kB, the reference of
    a session with its cross-section 6.5 MB."""
    scenarios_file: Path | None = Field(default=None)
    """A file of stress scenarios beside the ones that come with the program; its form is explained
    in docs/methodology/stress.md. The service does not start with a file it cannot use."""
    gamma_limit: float = Field(default=0.02, gt=0)
    """Gross dollar gamma for 1 %, over net asset value, above which an account's exposure says that
    its limit is exceeded."""
    vega_limit: float = Field(default=0.005, gt=0)
    """The same of gross vega for one volatility point."""
    results_kept: int = Field(default=5, ge=2)
    """Sessions of whose results each portfolio keeps all of: the newest is what is read, the others
    are for whoever looks into a change. The row of every session in the snapshots stays for good.
    """
