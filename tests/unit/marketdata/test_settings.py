"""What the environment may say."""

import pytest
from pydantic import ValidationError

from marketdata.settings import Settings


def test_defaults_are_those_of_the_documentation():
    settings = Settings(_env_file=None)
    assert (settings.seed, settings.coverage_threshold, settings.history_sessions) == (
        None,
        0.8,
        780,
    )


def test_settings_carry_the_prefix_of_the_service(monkeypatch):
    monkeypatch.setenv("MARKETDATA_SEED", "5")
    assert Settings(_env_file=None).seed == 5


@pytest.mark.parametrize("name", ["SEED", "COVERAGE_THRESHOLD", "HISTORY_SESSIONS"])
def test_a_setting_out_of_range_is_refused_at_the_start(monkeypatch, name):
    monkeypatch.setenv(f"MARKETDATA_{name}", "-1")
    with pytest.raises(ValidationError):
        Settings(_env_file=None)
