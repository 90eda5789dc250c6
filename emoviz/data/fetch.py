"""Fetching from the network, only ever what a person asked for.

http and https alone. The addresses of a host are looked up once, checked, and the connection goes
to the very address that was checked, so that a name cannot come to mean another machine in
between; each redirect is checked as the first address was. Size, time and redirects are capped.
One request at a time goes to a host, with a pause, and a server that asks for patience gets it.

Written on `http.client`: it lets the connection be made here, which the larger libraries hide, and
needs nothing else. Proxies of the environment are not used, because a proxy would look names up
by itself.
"""

import contextlib
import email.utils
import hashlib
import http.client
import ipaddress
import json
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from emoviz import __version__
from emoviz.errors import FetchError
from emoviz.settings import Settings

USER_AGENT = f"emoviz/{__version__} (research on the emotions that artworks evoke; one at a time)"
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (429, 503)  # the server asks for patience
_PASSING = (408, 500, 502, 504)  # may be over in a moment
_BLOCK = 65_536
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SAFE = "/%:@!$&'()*+,;=~-._?"

# Looks a host up: (host, port) -> addresses as texts, in the order to try.
Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class FetchCaps:
    """What one fetch may cost.

    Attributes:
        bytes: Of the body, after unpacking.
        seconds: Of one request from connecting to its last byte, however slowly bytes drip.
        idle: Seconds without a single byte.
        redirects: Followed at most.
        attempts: Requests at most, where the server is busy or the line breaks.
        patience: The longest wait in seconds that a server may ask for.
    """

    bytes: int = 200_000_000
    seconds: float = 120.0
    idle: float = 30.0
    redirects: int = 5
    attempts: int = 4
    patience: float = 120.0


@dataclass(frozen=True)
class Fetched:
    """What a server sent.

    Attributes:
        body: The bytes; empty where nothing changed.
        marks: ``etag`` and ``last-modified`` where sent; given back, they ask for changes only.
        unchanged: Whether the server said that nothing changed since those marks.
    """

    body: bytes
    marks: Mapping[str, str] = field(default_factory=dict)
    unchanged: bool = False


@dataclass
class _Host:
    """Whose turn it is at one host."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    free_at: float = 0.0


class Fetcher:
    """Fetches politely; one for a whole task, so that pauses hold between its requests.

    Args:
        allow_private: Whether addresses of this machine and of private networks may be asked.
        pause: Seconds between two requests to one host.
        caps: What one fetch may cost.
        resolve: Looks hosts up; the system's resolver where left out.
    """

    def __init__(
        self,
        allow_private: bool = False,
        pause: float = 0.25,
        caps: FetchCaps | None = None,
        resolve: Resolver | None = None,
    ) -> None:
        self._allow_private, self._pause, self._caps = allow_private, pause, caps or FetchCaps()
        self._resolve = resolve
        self._hosts: dict[tuple[str, int], _Host] = {}
        self.requests = 0

    @classmethod
    def of(cls, settings: Settings) -> "Fetcher":
        """As the settings allow."""
        caps = FetchCaps(bytes=int(settings.max_file_mb * 1e6))
        return cls(settings.allow_private_urls, settings.fetch_pause, caps)

    def get(
        self, address: str, most: int | None = None, marks: Mapping[str, str] | None = None
    ) -> Fetched:
        """Fetch one address.

        Args:
            address: http or https.
            most: Bytes, where less than the caps allow is wanted.
            marks: Of what is already here.

        Raises:
            FetchError: It cannot be had, or must not be asked for; the message is the reason.
        """
        most = min(most or self._caps.bytes, self._caps.bytes)
        place = checked_url(address)
        for _ in range(self._caps.redirects + 1):
            found = self._patiently(place, most, marks or {})
            if isinstance(found, Fetched):
                return found
            if place.scheme == "https" and found.scheme == "http":
                told = urlunsplit(found)[:120]
                raise FetchError(f"the server sends on from https to plain http ({told})")
            place = found
        raise FetchError(f"the server sent on more than {self._caps.redirects} times")

    def _patiently(
        self, place: SplitResult, most: int, marks: Mapping[str, str]
    ) -> Fetched | SplitResult:
        """The answer, or the address that it sends on to; asked again where that may help."""
        for attempt in range(1, self._caps.attempts + 1):
            try:
                return self._in_turn(place, most, marks)
            except _AgainError as again:
                wait = again.wait if again.wait is not None else min(2.0**attempt * 0.5, 8.0)
                if attempt == self._caps.attempts:
                    raise
                if wait > self._caps.patience:
                    told = f"{again} and asks to wait {wait:,.0f} s; try again later"
                    raise FetchError(told, again.status, unanswered=True) from None
                self._host(place).free_at = time.monotonic() + wait
        raise AssertionError("attempts are at least 1")

    def _in_turn(
        self, place: SplitResult, most: int, marks: Mapping[str, str]
    ) -> Fetched | SplitResult:
        host = self._host(place)
        with host.lock:
            time.sleep(max(0.0, host.free_at - time.monotonic()))
            try:
                to = self._checked_address(place)
                self.requests += 1
                return _exchange(place, to, "GET", _headers(marks), None, most, self._caps)
            finally:
                host.free_at = max(host.free_at, time.monotonic() + self._pause)

    def _host(self, place: SplitResult) -> _Host:
        return self._hosts.setdefault((place.hostname or "", _port(place)), _Host())

    def _checked_address(self, place: SplitResult) -> str:
        """The address to connect to; every address of the host must be a public one."""
        addresses = _addresses(place, self._resolve)
        closed = [text for text in addresses if not is_public(text)]
        if closed and not self._allow_private:
            raise FetchError(
                f"'{place.hostname}' is {closed[0]}, an address of this machine or of a private "
                "network; whoever installed emoviz can allow these (EMOVIZ_ALLOW_PRIVATE_URLS=true)"
            )
        return addresses[0]


def post_json(
    address: str,
    values: object,
    beyond: bool = False,
    caps: FetchCaps | None = None,
    resolve: Resolver | None = None,
    key: str = "",
) -> bytes:
    """Send JSON to a server on this machine and give what it answers.

    Asked once: neither redirects nor a server's wish for patience are followed.

    Args:
        address: http or https.
        values: What is sent.
        beyond: Whether it may leave this machine, as a person has to say.
        caps: What it may cost; `idle` and `redirects` do not count.
        resolve: Looks hosts up; the system's resolver where left out.
        key: For the header Authorization, as a bearer's.

    Raises:
        FetchError: There is no answer with status 200, or the host is not this machine and it was
            not allowed to leave it; nothing was sent then.
    """
    caps, place = caps or FetchCaps(bytes=4_000_000), checked_url(address)
    to = _addresses(place, resolve)
    strange = [text for text in to if not _is_loopback(text)]
    if strange and not beyond:
        told = f"'{place.hostname}' is {strange[0]}, which is not this machine; nothing was sent"
        raise FetchError(told, unanswered=True)
    head = {**_headers({}), "Content-Type": "application/json", "Accept": "application/json"}
    if key:
        head["Authorization"] = f"Bearer {key}"
    body, caps = json.dumps(values).encode(), replace(caps, idle=caps.seconds)
    found = _exchange(place, to[0], "POST", head, body, caps.bytes, caps)
    if not isinstance(found, Fetched):
        raise FetchError("the server sends on to another address, which is not followed")
    return found.body


def is_on_this_machine(address: str, resolve: Resolver | None = None) -> bool:
    """Whether every address of the host is one of this machine's own; False where there is none.

    Raises:
        FetchError: It is no address that can be asked.
    """
    place = checked_url(address)
    try:
        return all(map(_is_loopback, _addresses(place, resolve)))
    except FetchError:
        return False


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None)
    return (inner or address).is_loopback


def _addresses(place: SplitResult, resolve: Resolver | None) -> list[str]:
    """Those of a host, one at least; by the system's resolver where None."""
    try:
        found = (resolve or _system_addresses)(place.hostname or "", _port(place))
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise FetchError(f"there is no host '{place.hostname}', or no network", unanswered=True)
    return found


def _exchange(
    place: SplitResult,
    address: str,
    verb: str,
    head: Mapping[str, str],
    body: bytes | None,
    most: int,
    caps: FetchCaps,
) -> Fetched | SplitResult:
    """One request and its answer, ended after so many seconds wherever it is by then."""
    connection, late = _Wire(place, address, caps.idle), threading.Event()
    watch = threading.Timer(caps.seconds, _cut, (connection, late))
    watch.daemon = True
    watch.start()
    try:
        target = urlunsplit(("", "", place.path or "/", place.query, ""))
        connection.request(verb, target, body=body, headers=dict(head))
        with connection.getresponse() as response:
            found = _answer(response, place, most)
    except ssl.SSLCertVerificationError as error:
        raise FetchError(f"its certificate is not valid ({error.verify_message})") from None
    except (_AgainError, OSError, http.client.HTTPException, ValueError, zlib.error) as error:
        if not late.is_set():
            known = isinstance(error, _AgainError)
            raise error if known else _AgainError(_line_words(error, caps.idle)) from None
    finally:
        watch.cancel()
        connection.close()
    if late.is_set():  # a body without a stated length looks whole where it was cut
        raise FetchError(f"it took longer than {caps.seconds:g} s")
    return found


class _AgainError(FetchError):
    """Asking again may help; `wait` is for how many seconds the server asked."""

    def __init__(self, reason: str, wait: float | None = None, status: int | None = None) -> None:
        super().__init__(reason, status, unanswered=status is None)
        self.wait = wait


def checked_url(address: str) -> SplitResult:
    """An address taken apart, with whatever is no ASCII in it written as servers want it.

    Raises:
        FetchError: It is no http or https address, or carries a name and password.
    """
    if re.search(r"[\x00-\x1f\x7f]", address):
        raise FetchError("the address holds control characters")
    try:
        parts = urlsplit(address.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise FetchError(f"it is no address that can be asked ({error})") from None
    if parts.scheme not in ("http", "https"):
        raise FetchError(f"only http and https are fetched, not '{parts.scheme or address[:20]}'")
    if parts.username is not None or parts.password is not None:
        raise FetchError("the address carries a name or password; these are not sent")
    if not host or port == 0:
        raise FetchError("the address names no host")
    try:
        host = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise FetchError(f"'{host}' is no name that a host can have") from None
    inside = f"[{host}]" if ":" in host else host
    place = inside if port is None else f"{inside}:{port}"
    path, query = quote(parts.path, safe=_SAFE), quote(parts.query, safe=_SAFE)
    return SplitResult(parts.scheme, place, path, query, "")


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the open internet.

    Addresses that carry another one inside (IPv4-mapped, 6to4, Teredo, NAT64) are judged by both.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        inside = [address.sixtofour, *(address.teredo or ())]
        if any(item is not None and not is_public(str(item)) for item in inside):
            return False
    closed = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not closed


def _system_addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


def _port(place: SplitResult) -> int:
    return place.port or (443 if place.scheme == "https" else 80)


class _Wire(http.client.HTTPConnection):
    """A connection to one address, whatever the host's name may mean by then.

    `wire` is its socket, also while the answer is read: `http.client` lets go of it before.
    """

    def __init__(self, place: SplitResult, address: str, idle: float) -> None:
        super().__init__(place.hostname or "", _port(place), timeout=idle)
        self._address, self._idle, self._safe = address, idle, place.scheme == "https"
        self.default_port = 443 if self._safe else 80  # a usual port is left out of the Host line
        self.wire: socket.socket | None = None

    def connect(self) -> None:
        """To the address that was checked; the certificate must be the host's."""
        self.wire = socket.create_connection((self._address, self.port), timeout=self._idle)
        if self._safe:
            context = ssl.create_default_context()
            safe = context.wrap_socket(
                self.wire, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.wire = safe
            safe.do_handshake()
        self.sock = self.wire

    def close(self) -> None:
        """Also where the handshake failed and `http.client` never saw the socket."""
        super().close()
        if self.wire is not None and self.sock is None:
            self.wire.close()


def _cut(connection: _Wire, late: threading.Event) -> None:
    """End a request that takes too long, wherever it is: in its head, its body, its handshake."""
    late.set()
    if connection.wire is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection.wire, socket.SHUT_RDWR)


def _headers(marks: Mapping[str, str]) -> dict[str, str]:
    asked = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    known = {asked[name]: value for name, value in marks.items() if name in asked}
    return {
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "gzip",
        "Connection": "close",
        **known,
    }


def _answer(
    response: http.client.HTTPResponse, place: SplitResult, most: int
) -> Fetched | SplitResult:
    status, head = response.status, response.headers
    if status in _REDIRECTS:
        where = head.get("Location", "")
        if not where:
            raise FetchError(f"the server sends on (status {status}) without saying where to")
        try:
            return checked_url(urljoin(urlunsplit(place), where))
        except ValueError:
            raise FetchError("the server sends on to what is no address") from None
    if status in _BUSY:
        wait = _asked_wait(head.get("Retry-After"))
        raise _AgainError(f"the server is busy (status {status})", wait, status)
    if status in _PASSING:
        raise _AgainError(f"the server has a fault (status {status})", status=status)
    marks = {name: head[name] for name in ("etag", "last-modified") if name in head}
    if status == 304:
        return Fetched(b"", marks, unchanged=True)
    if status != 200:
        raise FetchError(_STATUS.get(status, f"the server answers with status {status}"), status)
    return Fetched(_body(response, most), marks)


_STATUS = {
    401: "the server asks for a password (status 401)",
    403: "the server refuses it (status 403)",
    404: "there is nothing at that address (status 404)",
    410: "it was taken away (status 410)",
}


def _body(response: http.client.HTTPResponse, most: int) -> bytes:
    """The body, unpacked, never more than `most` bytes of it in memory and a block."""
    told = response.headers.get("Content-Length", "")
    if told.isdecimal() and int(told) > most:
        raise FetchError(f"it has {int(told) / 1e6:,.0f} MB; at most {most / 1e6:,.0f} are fetched")
    packed = response.headers.get("Content-Encoding", "").strip().casefold()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise FetchError(f"it is packed as '{packed[:20]}', which is not read here")
    unpack = zlib.decompressobj(wbits=31) if packed.endswith("gzip") else None
    body = bytearray()
    for block in _blocks(response):
        body += unpack.decompress(block, most + 1 - len(body)) if unpack else block
        if len(body) > most:
            raise FetchError(f"it has more than {most / 1e6:,.0f} MB; the rest was not fetched")
    if unpack is not None and not unpack.eof:
        raise _AgainError("it was cut short on the way")
    return bytes(body)


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    told, come = response.length, 0
    while block := response.read1(_BLOCK):
        come += len(block)
        yield block
    if told is not None and come < told:
        raise _AgainError(f"it was cut short after {come:,} of {told:,} bytes")


def _asked_wait(text: str | None) -> float | None:
    """Seconds that ``Retry-After`` asks for: a number of them, or a date."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    with contextlib.suppress(TypeError, ValueError):
        until = email.utils.parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    return None


def _line_words(error: Exception, idle: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {idle:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "no server answers at that address"
    if isinstance(error, ssl.SSLError):
        return f"no safe connection can be made ({error.reason or 'TLS'})"
    if isinstance(error, http.client.HTTPException):
        return f"the server does not speak HTTP as it should ({type(error).__name__})"
    return f"the connection broke ({error})" if str(error) else "the connection broke"


def url_digest(address: str) -> str:
    """A file name for what lies at an address."""
    return hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()[:32]
