"""Who the client is, with and without a proxy in front."""

from typing import Any

import pytest

from gateway.api.peers import ClientBehindProxy
from gateway.settings import Settings


async def seen(trusted, peer, *forwarded, proto=None):
    scope: dict[str, Any] = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 4711),
        "headers": [(b"x-forwarded-for", value) for value in forwarded],
    }
    if proto is not None:
        scope["headers"].append((b"x-forwarded-proto", proto))
    passed = []

    async def app(scope, _receive, _send):
        passed.append(scope)

    async def silence(_message: Any = None) -> Any:
        raise AssertionError("nothing is read or sent here")

    proxies = Settings.model_validate({"trusted_proxies": trusted}).trusted_proxies
    await ClientBehindProxy(app, proxies)(scope, silence, silence)
    return passed[0]["client"][0], passed[0]["scheme"]


async def test_a_stranger_is_not_believed():
    assert await seen("", "127.0.0.1", b"203.0.113.1", proto=b"https") == ("127.0.0.1", "http")
    assert (await seen("10.0.0.1", "10.0.0.2", b"203.0.113.1"))[0] == "10.0.0.2"


async def test_a_trusted_proxy_is_believed_in_what_it_has_seen_itself():
    assert await seen("10.0.0.1", "10.0.0.1", b"6.6.6.6, 203.0.113.1", proto=b"https") == (
        "203.0.113.1",
        "https",
    )
    assert (await seen("10.0.0.1", "10.0.0.1", b"6.6.6.6", b"203.0.113.1"))[0] == "203.0.113.1"


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"])
async def test_proxies_may_be_named_by_network(peer):
    assert (await seen("10.1.0.0/16, fd00::/8", peer, b"203.0.113.1"))[0] == "203.0.113.1"


@pytest.mark.parametrize("hop", [(), (b"",), (b"unknown",), (b"a\x00b",), (b"\xff",)])
async def test_a_hop_that_is_no_address_leaves_the_proxys(hop):
    assert (await seen("10.0.0.1", "10.0.0.1", *hop))[0] == "10.0.0.1"


async def test_a_client_is_one_however_its_address_is_written():
    assert (await seen("10.0.0.1", "10.0.0.1", b"::ffff:203.0.113.1"))[0] == "203.0.113.1"
