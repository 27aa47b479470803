"""What auth reads from the environment."""

from typing import Literal, Self

from pydantic import SecretStr, model_validator

from common.settings import DEFAULT_SECRETS, EnvironmentSettings

SHORTEST_SECRET = 16
PRINTED_INVITE_CODE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
"""In the README: good for a laptop, no secret anywhere else."""


class Settings(EnvironmentSettings):
    """Names are those of the environment, in capitals."""

    environment: Literal["development", "test", "production"] = "development"
    secret_key: SecretStr = SecretStr("")
    """Protects the signing keys at rest; kept in the home (mode 0600) when not given."""
    beta_invite_code: SecretStr = SecretStr(PRINTED_INVITE_CODE)
    deterministic_uuids: bool = True
    """Derive ids from e-mail addresses, so that a repeated registration elsewhere agrees."""
    admin_email: str = ""
    """Registering this address makes the first administrator."""

    @model_validator(mode="after")
    def _production_has_secrets(self) -> Self:
        if self.environment != "production":
            return self
        secret = self.secret_key.get_secret_value()
        if secret in DEFAULT_SECRETS or len(secret) < SHORTEST_SECRET:
            raise ValueError(
                f"SECRET_KEY must be a random value of {SHORTEST_SECRET} characters or more "
                "in production"
            )
        if self.beta_invite_code.get_secret_value() == PRINTED_INVITE_CODE:
            raise ValueError("BETA_INVITE_CODE must not be the one of the README in production")
        return self
