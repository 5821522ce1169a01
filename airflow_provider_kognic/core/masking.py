"""What a URL may carry that nobody else should read: cut out of whatever is shown or kept.

A row of a manifest may name a document by a URL with a password in it, or a signature that lets in whoever has it.
What stays is what names no secret: `s3://connection@bucket` has the id of an Airflow connection, and
`abfs://container@account` a container. And what is a name: on S3, and on a disk, `a?token=b` may be a folder.
"""

from __future__ import annotations

import json
import re
import traceback
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "***"

# Each looks at a character a few times only, whatever the text: a message may be long.
_REST = r"[^\s'\"<>`]"
_SCHEME = r"(?<![a-z0-9+.-])[a-z0-9+.-]*"
# A user and a password. Some write a password as it is, with what has a meaning in a URL: it goes on to the last @
# of the host, or else, with a slash in it, to the last one, unless it begins as the port of a host does.
_PASSWORD = re.compile(
    r"(?<=://)[^/\s@:?#\['\"<>`]*:(?!\d+['\"<>`]\W)"
    r"(?:[^/\s?#]*@|(?!\d+[/?#])(?:[^/\s]*@|(?:[^\s?:]|:(?!//))*@))"
    # A token that stands there alone: of a web server's URL, where no id of a connection can be meant.
    r"|(?:(?<=http://)|(?<=https://))[^/\s@:?#\['\"<>`]+@",
    re.IGNORECASE,
)
# Of schemes in which a ? begins a query; in the names of other stores it is a character such as any.
_LINK = re.compile(rf"{_SCHEME}(?<![a-z])(?:https?|abfss?|az|wasbs?)://{_REST}+", re.IGNORECASE)
# What signs, or lets in, in the query of a URL.
_SIGNS = r"x-(?:amz|goog)-(?:signature|credential|security-token)"
# Some by how they end, whatever stands before: `private_token`, `refreshToken`, `x-functions-key`. Others are words
# that may mean something else with more before them, as in `monkey`, `country_code` and `render_pass`.
_ENDS_AS = r"token|secret|signature|passw(?:or)?d|passphrase|credentials?|assertion|jwt|hmac"
_KEYS = (
    r"api|account|access|secret|shared|auth|private|signing|session|subscription|functions?|master|service|client|"
    r"storage|app|consumer|encryption"
)
_LETS_IN = re.compile(
    rf".*(?:{_ENDS_AS})[\]_]*|(?:(?:.*[._-])?(?:{_KEYS})[_-]?)?key|(?:.*[._-])?(?:sig|sas|otp|pwd)|"
    r"(?:.*access[_-]?key|google[_-]?access)[_-]?id|(?:user|db|login)?[_-]?pass|auth(?:orization)?(?:[_-]?code)?|"
    r"code|bearer|ticket|jsessionid|phpsessid|md5|hdn(?:ts|ea|tl)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[?&;#]([^?&;#=\s]*)=")
# Up to the next one, or to what a sentence or the number of a line goes on with.
_VALUE = re.compile(rf"(?:(?![&#:]){_REST}|:(?!\s|$|\d+(?:[\s:]|$)))*")
# Libraries quote the path of a URL alone, or what signs it.
_PLACES = re.compile(
    rf"(?P<url>{_SCHEME}://{_REST}+)|(?P<path>(?<=url: )/{_REST}+|(?<=url=)/{_REST}+)|"
    rf"(?P<signed>(?:^|[?&\s]){_SIGNS}=)(?P<value>{_VALUE.pattern})",
    re.IGNORECASE,
)
_STARS = re.compile(r"[?&;#][^?&;#=\s]+=\*{3}(?:[&#\s]|$|:\d+$)")
_SHORTEST, _SHORTEST_SECRET = 4, 6


def masked(text: str) -> str:
    """Return a text in which the passwords and signatures of URLs are `***`."""
    if "://" not in text and "=" not in text:
        return text
    return _PLACES.sub(_mask_place, _PASSWORD.sub(f"{MASK}@", text))


def masked_as(text: str, url: str) -> str:
    """Return a text without what a URL hides, also where it stands there by itself, as libraries quote it."""
    text = masked(text)
    for secret in secrets_of(url):
        text = text.replace(secret, MASK)
    return text


def presentable(error: BaseException) -> BaseException:
    """Return an error as a log may show it, with what caused it: libraries quote whole URLs.

    What quotes what nobody should read becomes a `Quoted`, as the error's cause, too, which is changed for that.

    Args:
        error: What is to be logged or raised; itself returned where its own text hides nothing.
    """
    return _presentable(error, set())


class Quoted(Exception):  # noqa: N818 - stands for an error of a library
    """What an error of a library said, without what nobody should read."""


def _presentable(error: BaseException, seen: set[int]) -> BaseException:
    seen.add(id(error))
    said = "".join(traceback.format_exception_only(type(error), error)).strip()
    shown: BaseException = error
    if (text := masked(said)) != said:
        shown = Quoted(text).with_traceback(error.__traceback__)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        shows = _presentable(cause, seen)
        if shows is not cause or shown is not error:
            shown.__cause__ = shows
    return shown


def is_masked(text: str) -> bool:
    """Tell whether a URL had something that is `***` now: nobody can read from there."""
    return f"://{MASK}@" in text or any(_STARS.search(link[0]) for link in _LINK.finditer(text))


def _mask_place(found: re.Match[str]) -> str:
    if found["signed"]:
        return f"{found['signed']}{MASK}"
    if found["path"]:
        return _mask_query(found)
    return _LINK.sub(_mask_query, found[0])


def _mask_query(found: re.Match[str]) -> str:
    url = found[0]
    parts, at = [], 0
    for begin, end in _values_of(url):
        parts += [url[at:begin], MASK]
        at = end
    return "".join([*parts, url[at:]])


def _values_of(url: str) -> Iterator[tuple[int, int]]:
    """Yield from where to where the query of a URL holds what is no one else's business."""
    at = min((place for mark in "?#" if (place := url.find(mark)) >= 0), default=len(url))
    for name in _NAME.finditer(url, at):
        if name.start() >= at and _LETS_IN.fullmatch(unquote(name[1])):
            value = _VALUE.match(url, name.end())
            at = value.end() if value else name.end()
            yield name.end(), at


def secrets_of(url: str) -> list[str]:
    """Return what `masked` cuts out of a URL, and its parts, as they are and unquoted; the longest first."""
    found = [both[0].removesuffix("@") for both in _PASSWORD.finditer(url)]
    found += [one.partition(":")[2] for one in found if ":" in one]
    for link in _LINK.finditer(_PASSWORD.sub(f"{MASK}@", url)):
        found += [link[0][begin:end] for begin, end in _values_of(link[0])]
    plain = {form for one in found for form in (one, unquote(one)) if len(form) >= _SHORTEST}
    return sorted(plain, key=len, reverse=True)


def spellings_of(secret: str) -> set[str]:
    """Return a secret as it is, and as it looks in a URL, a form, JSON, HTML and Python's own `repr`.

    Whoever looks for it as it is does not find it there: a library's error quotes what it sent. What is too short
    to be one has no spelling: it would be cut out of ordinary words.
    """
    if len(secret) < _SHORTEST_SECRET:
        return set()
    encoded = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {
        secret,
        *encoded,
        *(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), one) for one in encoded),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        escape(secret),
        repr(secret)[1:-1],
    }
