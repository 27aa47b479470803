"""What of a message's head passes the gateway."""

from gateway.api.headers import for_client, for_service


def request(*headers):
    return {
        "headers": list(headers),
        "client": ("10.1.2.3", 5),
        "scheme": "https",
    }


def test_a_connections_own_headers_end_here():
    passed = dict(
        for_service(
            request(
                (b"connection", b"keep-alive, X-Private"),
                (b"keep-alive", b"timeout=5"),
                (b"x-private", b"1"),
                (b"te", b"trailers"),
                (b"upgrade", b"h2c"),
                (b"accept", b"*/*"),
            ),
            "id",
            None,
        )
    )
    assert passed[b"accept"] == b"*/*"
    assert not {b"connection", b"keep-alive", b"x-private", b"te", b"upgrade"} & passed.keys()


def test_what_only_the_gateway_may_say_is_not_taken_from_a_client():
    passed = for_service(
        request(
            (b"host", b"api.example.com"),
            (b"x-internal-token", b"guess"),
            (b"x-forwarded-for", b"1.1.1.1"),
            (b"x-request-id", b"theirs"),
            (b"traceparent", b"theirs"),
        ),
        "ours",
        "00-ours",
    )
    assert [value for name, value in passed if name == b"x-internal-token"] == []
    assert [value for name, value in passed if name == b"x-forwarded-for"] == [b"10.1.2.3"]
    assert [value for name, value in passed if name == b"x-request-id"] == [b"ours"]
    assert [value for name, value in passed if name == b"traceparent"] == [b"00-ours"]
    assert (b"x-forwarded-host", b"api.example.com") in passed
    assert (b"x-forwarded-proto", b"https") in passed


def test_a_body_has_one_framing_only():
    passed = for_service(
        request((b"content-length", b"5"), (b"transfer-encoding", b"chunked")), "id", None
    )
    framing = [pair for pair in passed if pair[0] in (b"content-length", b"transfer-encoding")]
    assert framing == [(b"transfer-encoding", b"chunked")]


def test_an_answer_keeps_what_is_the_clients():
    answer = [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"content-type", b"text/csv"),
        (b"transfer-encoding", b"chunked"),
        (b"date", b"now"),
        (b"x-request-id", b"again"),
    ]
    assert for_client(answer) == answer[:3]
