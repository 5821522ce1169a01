"""Of a folder in S3, the names that may be in a range, without listing the others.

S3 lists keys in their order, and begins after any name. Names are in that order as they are spelled, and a scene's
uuid may be spelled in capitals, or with spaces around it. So what may be in a range is in up to four stretches of
names, of which all but one are usually empty. What is found there besides is left out by `narrowed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.sources.listing import (
    LISTING,
    Names,
    is_of_keys,
    is_pattern,
    is_stored,
    may_be_empty,
    scheme_of,
)
from airflow_provider_kognic.core.stores.limited import within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.models import Span

_S3 = frozenset({"s3", "s3a"})
# Where digits begin, where capitals from A to F end, and where all of ASCII has.
_DIGITS, _AFTER_CAPITALS, _AFTER_ASCII = "0", "G", "\x7f"
# Keys of a first request, which also tells whether there is anything.
_FEW = 100


def stretches(span: Span) -> list[tuple[str, str | None]]:
    """Return stretches of names in which all are that name a scene of a range, however they spell it.

    And all that name none and are in it as they are. Each is from a text on, up to another one, None for the end;
    they do not overlap.

    Args:
        span: The range.
    """
    first, before = span.first or "", span.before
    found: list[tuple[str, str | None]] = [("", _DIGITS)]  # with a space before it, for one
    if first[:1].isalpha():
        found.append((first.upper(), _AFTER_CAPITALS))
    found.append((first[:1] + first[1:].upper(), before))
    if before is not None:
        found.append((_AFTER_ASCII, None))  # with a space of other scripts before it
    merged = [found[0]]
    for start, stop in found[1:]:
        last_start, last_stop = merged[-1]
        if last_stop is not None and start <= last_stop:
            merged[-1] = last_start, None if stop is None else max(last_stop, stop)
        else:
            merged.append((start, stop))
    return merged


def listed(path: Any, span: Span) -> Names | None:
    """Return the documents in a folder of S3 whose names may be in a range, and a few more.

    Args:
        path: The folder; it may be anything else.
        span: The range.

    Returns:
        None where that cannot be told so: it is no folder of S3's, or there is nothing in it, or a folder without a
        name, or all versions are listed.

    Raises:
        Exception: As the store's library does.
    """
    if not is_stored(path) or not is_of_keys(path) or scheme_of(path) not in _S3 or is_pattern(str(path)):
        return None
    if not may_be_empty(path) or path.fs.version_aware:
        return None
    return within(LISTING, lambda: _listed(path, span))


def _listed(path: Any, span: Span) -> Names | None:
    bucket, _, key = str(path.path).strip("/").partition("/")
    folder = f"{key}/" if key else ""
    found = Names()
    for number, (start, stop) in enumerate(stretches(span)):
        for page in _pages(path.fs, bucket, folder, start, stop, few=number == 0):
            if not number and not start and not page.get("Contents") and not page.get("CommonPrefixes"):
                return None
            if any(prefix["Prefix"] == f"{folder}/" for prefix in page.get("CommonPrefixes", ())):
                return None
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(folder)
                if name and (stop is None or name < stop):
                    found.add(name, entry["Size"], fits=name.endswith(".json"))
    return found


def _pages(
    store: Any, bucket: str, folder: str, start: str, stop: str | None, *, few: bool
) -> Iterator[dict[str, Any]]:
    """Yield what S3 says of a stretch of names, a thousand at a time."""
    more: dict[str, Any] = {"StartAfter": folder + start} if start else {}
    if few and stop is not None:
        more["MaxKeys"] = _FEW
    while True:
        page = store.call_s3(
            "list_objects_v2", Bucket=bucket, Prefix=folder, Delimiter="/", **more, **store.req_kw
        )
        yield page
        names = [entry["Key"] for entry in page.get("Contents", ())]
        names += [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
        if not page.get("IsTruncated") or (stop is not None and max(names, default="") >= folder + stop):
            return
        more["ContinuationToken"] = page["NextContinuationToken"]
        more.pop("MaxKeys", None)
