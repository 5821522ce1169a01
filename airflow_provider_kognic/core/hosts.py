"""One name for a host, however it is typed: what tells whether two uploads go to the same API.

    HTTPS://Dataset.Example.com.:0443/Kognic   is   https://dataset.example.com/Kognic

Lower case, IDNA, no dot at its end, a port as a whole number and none where it is the scheme's own. Names are
compared, never looked up: `localhost` and `127.0.0.1` are two hosts.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS = {"https": 443, "http": 80}
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
# The IDNA of 2008, which requests are made with, keeps these apart; Python's own, of 2003, does not.
_KEPT_APART = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")


def is_loopback(hostname: str) -> bool:
    """Tell whether a host name can only mean this machine."""
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return _normal_name(hostname) == "localhost"


def is_address(hostname: str) -> bool:
    """Tell whether a host name is an address, or means this machine: it has no names below it."""
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return is_loopback(hostname)
    return True


def normal_url(url: str) -> str:
    """Return a URL with the normal form of its host; the path stays.

    Raises:
        ValueError: It is no URL.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{_authority(parts, DEFAULT_PORTS.get(parts.scheme))}{parts.path}"


def normal_host(text: str, default_port: int | None = None) -> str:
    """Return the normal form of a host as journals and receipts name it: without its scheme, and in lower case.

    Args:
        text: `host[:port][/path]`.
        default_port: The port that goes without saying; None to keep each, where the scheme is not known.
    """
    try:
        parts = urlsplit(f"//{text}")
        return (_authority(parts, default_port) + parts.path).lower()
    except ValueError:
        return text.lower()


def is_same_host(found: object, host: str) -> bool:
    """Tell whether what a journal or a receipt names is a host, however that was typed then.

    Args:
        found: What is named; without its scheme, so that the ports of both may go without saying.
        host: The host, as `Settings.host` names it.
    """
    if not isinstance(found, str):
        return False
    wanted = normal_host(host)
    return any(normal_host(found, port) == wanted for port in (None, *DEFAULT_PORTS.values()))


def _authority(parts: SplitResult, default_port: int | None) -> str:
    name = _normal_name(parts.hostname or "")
    port = parts.port
    return name if port is None or port == default_port else f"{name}:{port}"


def _normal_name(hostname: str) -> str:
    if ":" in hostname:
        return f"[{_normal_address(hostname)}]"
    labels = [_normal_label(label) for label in _DOTS.split(hostname)]
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    return ".".join(labels)


def _normal_address(text: str) -> str:
    try:
        return ipaddress.ip_address(text).compressed
    except ValueError:
        return text.lower()


def _normal_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    if _KEPT_APART.isdisjoint(label):
        return label.encode("idna").decode("ascii").lower()
    kept = unicodedata.normalize("NFC", label.lower())
    return f"xn--{kept.encode('punycode').decode('ascii')}"
