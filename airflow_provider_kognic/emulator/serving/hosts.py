"""Which names a request may call this emulator by.

A browser that has a page of somebody's open resolves the name of that page anew, to this machine if its owner
likes, and lets the page read what it gets. What tells such a request from one that is meant is the name in it.
"""

import ipaddress
import re
from dataclasses import dataclass

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[0-9a-zA-Z._-]+)(?::[0-9]{1,5})?")
_ABSOLUTE = re.compile("[hH][tT][tT][pP][sS]?://([^/?#]*)")
_LONGEST = 300

LOCAL_NAMES = "localhost, *.localhost, 127.0.0.1 and [::1]"


def name_in(host: str) -> str | None:
    """The name in a ``Host`` header, in small letters, without port and closing dot; None when it is none."""
    found = _HOST.fullmatch(host) if len(host) <= _LONGEST else None
    if found is None:
        return None
    return found["name"].lower().removesuffix(".") or None


def is_local(name: str) -> bool:
    """Whether a name (as ``name_in`` gives it) is one that only this machine has, for itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return is_loopback(name[1:-1] if name.startswith("[") else name)


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine, for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


@dataclass(frozen=True)
class Hosts:
    """The names that pass.

    Attributes:
        others: Names that pass besides those of this machine, as ``name_in`` gives them; None for all.
    """

    others: frozenset[str] | None = frozenset()

    def allow(self, name: str) -> bool:
        """Whether a name may be called."""
        return self.others is None or name in self.others or is_local(name)

    def refusal(self, hosts: list[str], target: str) -> tuple[int, str] | None:
        """Why a request is refused, as a status and a message; None when it is not.

        Args:
            hosts: Its ``Host`` headers.
            target: What it asks for, as it was sent: a path, or a whole URL, whose name then has to pass, too.
        """
        if len(hosts) != 1:
            return 400, f"A request has one Host header, this one has {len(hosts)}"
        called = [hosts[0]]
        if not target.startswith("/"):
            found = _ABSOLUTE.match(target)
            called.append(found[1] if found else "")
        for host in called:
            name = name_in(host)
            if name is None:
                return 400, f"{host[:100]!r} is no name of a host"
            if not self.allow(name):
                return 421, self._say(name)
        return None

    def _say(self, name: str) -> str:
        names = ", ".join([*sorted(self.others or ()), LOCAL_NAMES])
        return (
            f"This emulator is called {names}, not {name[:100]!r}: use one of these names, or start it with"
            " --allow-host"
        )
