"""Fetching: what must not be asked for, what costs too much, and manners."""

import gzip
import itertools
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from local_server import LocalServer, local_server

from emoviz.data.fetch import USER_AGENT, FetchCaps, Fetcher, checked_url, is_public
from emoviz.errors import FetchError, SettingsError
from emoviz.settings import load_settings

# A key and a certificate for museum.example, made for these tests and used nowhere else.
MUSEUM_PEM = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgG03OYc7e5mHzxjVX
Z5jrJnz6H/vngx53lzOstfsUIs+hRANCAATTIfFO18ggXNoF10O7w8vBWF/4c/YJ
f9FY9ql7bQpBglb/EZqi40IiNk7b4BGJQzQHmVCRu69ijFlQ+b8UBJES
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBpDCCAUqgAwIBAgIUQ9vqA/AdMs6yiIK5d7OCECYoqegwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwObXVzZXVtLmV4YW1wbGUwIBcNMjYxMTI1MDk1MDE2WhgPMjEy
NjExMDEwOTUwMTZaMBkxFzAVBgNVBAMMDm11c2V1bS5leGFtcGxlMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE0yHxTtfIIFzaBddDu8PLwVhf+HP2CX/RWPape20K
QYJW/xGaouNCIjZO2+ARiUM0B5lQkbuvYoxZUPm/FASREqNuMGwwHQYDVR0OBBYE
FHToHf3Mn6ebzqQul8quI/1N9YERMB8GA1UdIwQYMBaAFHToHf3Mn6ebzqQul8qu
I/1N9YERMA8GA1UdEwEB/wQFMAMBAf8wGQYDVR0RBBIwEIIObXVzZXVtLmV4YW1w
bGUwCgYIKoZIzj0EAwIDSAAwRQIgSOpahLKYDtxTQfVyKT1jGT1s/xdakxeGRsk3
bJerKD0CIQDp0YxYwBAgDsEouMSKtYHWAf34OwqgMHgswT5tS4treA==
-----END CERTIFICATE-----
"""


def fetcher(**caps: float) -> Fetcher:
    return Fetcher(allow_private=True, pause=0.0, caps=FetchCaps(**caps))  # type: ignore[arg-type]


# Addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("0.0.0.0", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1"),
        *("::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::"),
        *("2001:db8::1", "no address", ""),
    ],
)
def test_addresses_of_this_machine_and_of_private_networks_are_closed(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "text",
    ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_of_the_open_internet_are_open(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize(
    "address",
    [
        *("file:///etc/passwd", "ftp://a.org/x", "gopher://a.org", "data:text/plain,x", "a.org/x"),
        *("http://", "http:///x", "http://me:secret@a.org/", "http://a.org:99999/", "http://a b/"),
        *("http://a.org/\r\nHost: b", "http://[::1", "javascript:alert(1)", ""),
    ],
)
def test_what_is_no_web_address_is_not_asked(address: str) -> None:
    asked: list[str] = []
    careful = Fetcher(resolve=lambda host, port: asked.append(host) or [])  # type: ignore[func-returns-value]
    with pytest.raises(FetchError):
        careful.get(address)
    assert asked in ([], ["a b"])


def test_letters_that_are_no_ascii_are_written_as_servers_want_them() -> None:
    place = checked_url("https://Museé.example/Œuvre 1/%20?q=é#part")
    assert place.geturl() == "https://xn--muse-epa.example/%C5%92uvre%201/%20?q=%C3%A9"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
def test_this_machine_is_not_asked_unless_a_setting_allows_it(
    server: LocalServer, host: str
) -> None:
    port = server.address.rpartition(":")[2]
    with pytest.raises(FetchError, match=r"EMOVIZ_ALLOW_PRIVATE_URLS|no host"):
        Fetcher(pause=0.0).get(f"http://{host}:{port}/")
    assert server.asked == []
    server.answers["/"] = (200, {}, b"here")
    assert fetcher().get(f"{server.address}/").body == b"here"


def test_one_closed_address_among_several_closes_a_host() -> None:
    both = Fetcher(resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(FetchError, match=r"10\.0\.0\.1"):
        both.get("http://museum.example/")


def test_the_connection_goes_to_the_address_that_was_checked(server: LocalServer) -> None:
    """A host that means a public address when checked and this machine a moment later."""
    port = server.address.rpartition(":")[2]
    answers = iter([["127.0.0.1"]])  # asked a second time it would raise StopIteration
    server.answers["/x"] = (200, {}, b"the one")
    once = Fetcher(True, 0.0, resolve=lambda host, port: next(answers))
    assert once.get(f"http://no-such-host.invalid:{port}/x").body == b"the one"
    assert server.asked[0][2]["Host"] == f"no-such-host.invalid:{port}"


def test_a_redirect_to_this_machine_is_not_followed(server: LocalServer) -> None:
    """The first host counts as public here; what it sends on to does not."""
    port = server.address.rpartition(":")[2]
    server.answers["/"] = (302, {"Location": f"http://127.0.0.1:{port}/secret"}, b"")
    checked: list[str] = []

    class Outside(Fetcher):
        def _checked_address(self, place):  # type: ignore[no-untyped-def]
            checked.append(place.hostname)
            if place.hostname == "museum.example":
                return "127.0.0.1"
            return super()._checked_address(place)

    with pytest.raises(FetchError, match="this machine"):
        Outside(pause=0.0).get(f"http://museum.example:{port}/")
    assert checked == ["museum.example", "127.0.0.1"]
    assert server.paths() == ["/"]


@pytest.mark.parametrize("where", ["file:///etc/passwd", "", "//[", "gopher://x"])
def test_a_redirect_elsewhere_is_told(server: LocalServer, where: str) -> None:
    server.answers["/"] = (301, {"Location": where} if where else {}, b"")
    with pytest.raises(FetchError):
        fetcher().get(f"{server.address}/")


def test_circles_of_redirects_end(server: LocalServer) -> None:
    server.answers["/"] = (302, {"Location": "/"}, b"")
    with pytest.raises(FetchError, match="more than 5 times"):
        fetcher().get(f"{server.address}/")
    assert len(server.asked) == 6


# Cost --------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_not_read(server: LocalServer) -> None:
    server.answers["/"] = (200, {"Content-Length": "999999999999"}, b"x")
    with pytest.raises(FetchError, match=r"1,000,000 MB; at most"):
        fetcher(bytes=1000).get(f"{server.address}/")


def test_a_body_that_goes_on_and_on_is_cut(server: LocalServer) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"x" * 10_000)
            sent += 10_000

    server.answers["/"] = endless
    with pytest.raises(FetchError, match="more than"):
        fetcher(bytes=50_000).get(f"{server.address}/")
    time.sleep(0.2)
    assert sent < 20_000_000  # what the buffers took, not the 100 MB


def test_a_packed_body_is_unpacked_and_a_bomb_is_not(server: LocalServer) -> None:
    packed = {"Content-Encoding": "gzip"}
    server.answers["/good"] = (200, packed, gzip.compress(b"manifest " * 1000))
    server.answers["/bomb"] = (200, packed, gzip.compress(bytes(50_000_000)))
    server.answers["/cut"] = (200, packed, gzip.compress(b"manifest " * 1000)[:-9])
    server.answers["/odd"] = (200, {"Content-Encoding": "br"}, b"x")
    quick = fetcher(bytes=100_000, attempts=1)
    assert quick.get(f"{server.address}/good").body == b"manifest " * 1000
    for path, words in {"/bomb": "more than", "/cut": "cut short", "/odd": "packed"}.items():
        with pytest.raises(FetchError, match=words):
            quick.get(server.address + path)


@pytest.mark.parametrize("in_head", [True, False])
def test_bytes_that_drip_run_out_of_time(server: LocalServer, in_head: bool) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"X: " if in_head else b"\r\n"))
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    server.answers["/"] = drip
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"longer than 0\.4 s"):
        fetcher(seconds=0.4, idle=5.0).get(f"{server.address}/")
    assert time.monotonic() - began < 2.0
    assert len(server.asked) == 1


def test_silence_is_told(server: LocalServer) -> None:
    server.answers["/"] = lambda handler: time.sleep(1.0)
    with pytest.raises(FetchError, match=r"no answer within 0\.1 s"):
        fetcher(idle=0.1, attempts=1).get(f"{server.address}/")


def test_a_body_that_is_cut_short_is_asked_for_again(server: LocalServer) -> None:
    whole = (200, {}, b"x" * 100)
    parts = iter([(200, {"Content-Length": "100"}, b"x" * 40), whole])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        status, headers, body = next(parts)
        handler.send_response(status)
        handler.send_header("Content-Length", headers.get("Content-Length", "100"))
        handler.end_headers()
        handler.wfile.write(body)

    server.answers["/"] = answer
    assert fetcher().get(f"{server.address}/").body == b"x" * 100


def test_what_is_no_http_and_what_is_not_there_are_told(server: LocalServer) -> None:
    server.answers["/odd"] = lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n") and None
    with pytest.raises(FetchError, match="speak HTTP"):
        fetcher(attempts=1).get(f"{server.address}/odd")
    with pytest.raises(FetchError, match="nothing at that address") as told:
        fetcher().get(f"{server.address}/missing")
    assert told.value.status == 404
    with pytest.raises(FetchError, match="no server answers"):
        fetcher(attempts=1).get("http://127.0.0.1:9/")


def test_a_server_without_tls_is_told(server: LocalServer) -> None:
    with pytest.raises(FetchError, match=r"safe connection|broke"):
        fetcher(attempts=1).get(server.address.replace("http:", "https:"))


# Manners -----------------------------------------------------------------------------------------


def test_it_says_who_asks_and_waits_between_two_requests(server: LocalServer) -> None:
    server.answers["/"] = (200, {}, b"x")
    polite = Fetcher(True, pause=0.15)
    for _ in range(3):
        polite.get(f"{server.address}/")
    times = [moment for moment, _, _ in server.asked]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.14
    assert {headers["User-Agent"] for _, _, headers in server.asked} == {USER_AGENT}


def test_a_server_that_asks_for_patience_gets_it(server: LocalServer) -> None:
    for wait in ("1", "Wed, 21 Oct 2015 07:28:00 GMT"):
        answers = iter([(429, {"Retry-After": wait}, b""), (200, {}, b"now")])

        def answer(handler: BaseHTTPRequestHandler, answers=answers) -> None:  # type: ignore[no-untyped-def]
            status, headers, body = next(answers)
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)

        server.asked.clear()
        server.answers["/"] = answer
        assert fetcher().get(f"{server.address}/").body == b"now"
        waited = server.asked[1][0] - server.asked[0][0]
        assert waited >= 0.95 if wait == "1" else waited < 0.5


def test_a_wait_without_end_is_refused(server: LocalServer) -> None:
    server.answers["/"] = (503, {"Retry-After": "86400"}, b"")
    with pytest.raises(FetchError, match="86,400 s; try again later"):
        fetcher().get(f"{server.address}/")
    assert len(server.asked) == 1


def test_what_did_not_change_is_not_sent_again(server: LocalServer) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        known = handler.headers.get("If-None-Match") == '"v1"'
        handler.send_response(304 if known else 200)
        handler.send_header("ETag", '"v1"')
        handler.end_headers()
        if not known:
            handler.wfile.write(b"once")

    server.answers["/"] = answer
    first = fetcher().get(f"{server.address}/")
    second = fetcher().get(f"{server.address}/", marks=first.marks)
    assert (first.body, first.unchanged) == (b"once", False)
    assert (second.body, second.unchanged) == (b"", True)


def test_a_certificate_must_be_valid_and_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = tmp_path / "museum.pem"
    pem.write_text(MUSEUM_PEM)
    with local_server(pem) as safe:
        safe.answers["/"] = (200, {}, b"whole")
        port = safe.address.rpartition(":")[2]
        local = Fetcher(True, 0.0, FetchCaps(attempts=1), lambda host, port: ["127.0.0.1"])
        with pytest.raises(FetchError, match="certificate is not valid"):
            local.get(f"https://museum.example:{port}/")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert local.get(f"https://museum.example:{port}/").body == b"whole"
        with pytest.raises(FetchError, match="certificate is not valid"):
            local.get(f"https://other.example:{port}/")


def test_it_does_not_go_on_from_https_to_http(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = tmp_path / "museum.pem"
    pem.write_text(MUSEUM_PEM)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with local_server(pem) as safe:
        safe.answers["/"] = (302, {"Location": f"{server.address}/x"}, b"")
        port = safe.address.rpartition(":")[2]
        local = Fetcher(True, 0.0, FetchCaps(attempts=1), lambda host, port: ["127.0.0.1"])
        with pytest.raises(FetchError, match="from https to plain http"):
            local.get(f"https://museum.example:{port}/")
    assert server.asked == []


def test_the_settings_say_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings({}).allow_private_urls is False
    assert load_settings({"EMOVIZ_ALLOW_PRIVATE_URLS": "True"}).allow_private_urls is True
    assert load_settings({"EMOVIZ_ALLOW_PRIVATE_URLS": "no"}).allow_private_urls is False
    with pytest.raises(SettingsError, match="true or false"):
        load_settings({"EMOVIZ_ALLOW_PRIVATE_URLS": "perhaps"})
