"""Settings: what is shipped starts, what production must not start with is refused."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

from common.home import HomeSettings, kept_secret
from common.process import role_secret_of
from common.settings import (
    SERVICES,
    OwnDatabases,
    OwnPorts,
    ServiceAddresses,
    SharedSettings,
    schema_of,
)

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / ".env.example"
SETTINGS = [
    SharedSettings,
    ServiceAddresses,
    OwnDatabases,
    OwnPorts,
    HomeSettings,
    *(import_module(f"{schema_of(name)}.settings").Settings for name in SERVICES),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__module__)
def test_the_example_file_is_read_as_it_is_shipped_and_changes_no_default(settings):
    assert settings(_env_file=EXAMPLE) == settings(_env_file=None)


def test_every_name_in_the_example_file_is_read_by_something():
    named = set(re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))
    read = set()
    for settings in SETTINGS:
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            aliases = getattr(field.validation_alias, "choices", [field.validation_alias])
            read |= {f"{prefix}{name}".upper(), *(str(alias).upper() for alias in aliases if alias)}
    assert named - read == set()


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ({"internal_token": "", "database_url": "postgresql://h/d"}, "INTERNAL_TOKEN"),
        ({"internal_token": "change-me", "database_url": "postgresql://h/d"}, "INTERNAL_TOKEN"),
        ({"internal_token": "x" * 20}, "DATABASE_URL"),
        ({"internal_token": "x" * 20, "database_url": "postgresql://h/d"}, "SERVICE_ROLE_SECRET"),
    ],
)
@pytest.mark.parametrize("skip", [False, True])
def test_production_refuses_default_secrets_and_nothing_skips_that(given, lacking, skip):
    with pytest.raises(ValidationError, match=lacking):
        SharedSettings(
            _env_file=None, environment="production", skip_startup_validation=skip, **given
        )


@pytest.mark.parametrize("secret", ["", "secret", "too-short"])
def test_production_refuses_a_weak_key_for_tokens(secret):
    settings = import_module("auth.settings").Settings
    with pytest.raises(ValidationError, match="SECRET_KEY"):
        settings(_env_file=None, environment="production", secret_key=secret)


def test_production_refuses_the_invite_code_that_everybody_can_read():
    settings = import_module("auth.settings").Settings
    given = {"environment": "production", "secret_key": "x" * 20}
    with pytest.raises(ValidationError, match="BETA_INVITE_CODE"):
        settings(_env_file=None, **given)
    assert settings(_env_file=None, **given, beta_invite_code="another")


def test_the_roles_secret_is_given_or_in_the_address_or_kept_but_never_empty(tmp_path):
    def secret(**given) -> str:
        return role_secret_of(SharedSettings(_env_file=None, **given), tmp_path)

    assert secret(service_role_secret="given", database_url="postgresql://u:p%40@h/d") == "given"
    assert secret(database_url="postgresql://u:p%40@h/d") == "p@"
    kept = secret(database_url="postgresql://u@h/d")
    assert len(kept) > 30
    assert secret(service_role_secret="") == kept


def test_ports_come_from_their_own_names_and_port_is_the_gateways(monkeypatch):
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("AUTH_PORT", "9001")
    ports = OwnPorts(_env_file=None)
    assert (ports.of("gateway"), ports.of("auth"), ports.of("risk-engine")) == (9000, 9001, 8004)


def test_a_kept_secret_is_made_once_and_readable_by_its_owner_only(tmp_path):
    home = tmp_path / "home"
    secret = kept_secret(home, "token")
    assert kept_secret(home, "token") == secret
    assert len(secret) > 30
    assert (home / "token").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir()] == ["token"]
