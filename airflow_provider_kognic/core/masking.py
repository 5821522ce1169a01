"""What a URL may carry that nobody else should read: cut out of whatever is shown or kept.

A row of a manifest may name a document by a URL with a password in it, or a signature that lets in whoever has it.
What stays is what names no secret: `s3://connection@bucket` has the id of an Airflow connection, and
`abfs://container@account` a container.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "***"

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>`]+", re.IGNORECASE)
# A user and a password. Some write a password with a slash in it as it is: it goes on to the last @ then, unless
# it begins as the port of a host does.
_PASSWORD = re.compile(r"(?<=://)[^/\s@:?#\[]*:(?:[^/\s@]*@|(?!\d+/)[^\s?]*@)")
# What signs, or lets in, in the query of a URL.
_SIGNS = r"x-(?:amz|goog)-(?:signature|credential|security-token)"
_LETS_IN = (
    r"sig|signature|awsaccesskeyid|googleaccessid|(?:access|id|security|session|auth)?[_-]?token|sas|"
    r"(?:api|account|access|secret|shared)?[_-]?(?:key|secret)|client[_-]?secret|password|passwd|pwd"
)
# Up to the next one, or to what a sentence or the number of a line goes on with.
_VALUE = r"=)(?:[^&\s'\"<>`#:]|:(?!\s|$|\d+(?:[\s:]|$)))*"
_SIGNED = re.compile(rf"((?:^|[?&\s]){_SIGNS}{_VALUE}", re.IGNORECASE)
_QUERY = re.compile(rf"([?&](?:{_LETS_IN}|{_SIGNS}){_VALUE}", re.IGNORECASE)
_MASKED = re.compile(r"://(?:\*{3}@|.*[?&][\w-]+=\*{3}(?:[&#\s]|$|:\d+$))")
# Libraries quote the path of a URL alone.
_PATH_OF_A_URL = re.compile(r"(?<=url: )/[^\s'\"<>`]+|(?<=url=)/[^\s'\"<>`]+")
_SHORTEST = 4


def masked(text: str) -> str:
    """Return a text in which the passwords and signatures of URLs are `***`."""
    if "://" not in text and "=" not in text:
        return text
    text = _URL.sub(_mask_url, text)
    text = _PATH_OF_A_URL.sub(lambda found: _QUERY.sub(rf"\1{MASK}", found[0]), text)
    return _SIGNED.sub(rf"\1{MASK}", text)


def masked_as(text: str, url: str) -> str:
    """Return a text without what a URL hides, also where it stands there by itself, as libraries quote it."""
    text = masked(text)
    for secret in _secrets_of(url):
        text = text.replace(secret, MASK)
    return text


def is_masked(text: str) -> bool:
    """Tell whether a URL had something that is `***` now: nobody can read from there."""
    return _MASKED.search(text) is not None


def _mask_url(found: re.Match[str]) -> str:
    url = found[0]
    if url.lower().startswith("file:"):
        return url
    return _QUERY.sub(rf"\1{MASK}", _PASSWORD.sub(f"{MASK}@", url))


def _secrets_of(url: str) -> list[str]:
    """Return what `masked` cuts out of a URL, and its parts, as they are and unquoted; the longest first."""
    if not is_masked(masked(url)):
        return []
    found = [both[0].removesuffix("@") for both in _PASSWORD.finditer(url)]
    found += [one.partition(":")[2] for one in found]
    found += [one[0].partition("=")[2] for one in _QUERY.finditer(url)]
    plain = {form for one in found for form in (one, unquote(one)) if len(form) >= _SHORTEST}
    return sorted(plain, key=len, reverse=True)
