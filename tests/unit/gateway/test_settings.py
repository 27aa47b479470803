"""What the gateway does when nobody has decided anything."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from gateway.settings import Settings


def test_only_pages_of_this_machine_may_call_with_cookies():
    assert Settings().allowed_origins == [
        "http://localhost:3000",
        "http://localhost:3005",
        "http://localhost:5173",
    ]


def test_no_proxy_is_trusted_until_it_is_named(monkeypatch):
    assert Settings().trusted_proxies == ()
    monkeypatch.setenv("GATEWAY_TRUSTED_PROXIES", "10.0.0.1, 172.16.0.0/12")
    assert Settings().trusted_proxies == (ip_network("10.0.0.1"), ip_network("172.16.0.0/12"))


def test_a_proxy_that_is_no_address_refuses_to_start(monkeypatch):
    monkeypatch.setenv("GATEWAY_TRUSTED_PROXIES", "proxy.example.com")
    with pytest.raises(ValidationError):
        Settings()
