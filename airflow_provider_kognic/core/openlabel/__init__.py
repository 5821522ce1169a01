"""A prediction document -> what is wrong with it.

`check` finds everything: each issue with its rule (`rules`), its place and what to do about it. Most documents are
fine, and found to be so by `quick`; the others are read again by `thorough`, which explains.

`check_content` asks no more than whether it is a JSON object with an object `openlabel`. Neither changes the
document: it can be sent as the bytes it came as.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel.rules import BY_IDENTIFIER, Issue, Severity
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        issues: Errors first, each kind in the document's order; of each rule the first ten.
        counts: How often each rule is broken, by its identifier; more than are listed, if there are many.
        classes: Names of the classes that the document declares: the types of its root objects and, for
            segmentation, the ontology's classifications. Each has to be in a group's class mapping.
        segmentation: Whether it declares a segmentation bitmap.
    """

    issues: tuple[Issue, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    segmentation: bool = False

    @property
    def valid(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not self.errors

    @property
    def errors(self) -> int:
        """Number of errors, listed or not."""
        return self._number(Severity.ERROR)

    @property
    def warnings(self) -> int:
        """Number of warnings, listed or not."""
        return self._number(Severity.WARNING)

    def _number(self, severity: Severity) -> int:
        counts = self.counts.items()
        return sum(count for rule, count in counts if BY_IDENTIFIER[rule].severity is severity)


def check(document: bytes, *, max_bytes: int = MOST_DOCUMENT_BYTES) -> Checked:
    """Find everything that is wrong with a document.

    Args:
        document: The JSON of `{"openlabel": {...}}`, UTF-8.
        max_bytes: A larger document is refused unread, at most 256 MiB.

    Returns:
        The issues, and the classes that it declares. It is valid if no issue is an error; then kognic-openlabel
        takes it, too.
    """
    from airflow_provider_kognic.core.openlabel.accept import examine
    from airflow_provider_kognic.core.openlabel.explain import explain
    from airflow_provider_kognic.core.openlabel.issues import Findings
    from airflow_provider_kognic.core.openlabel.plausibility import hints

    findings = Findings()
    limit = min(max_bytes, MOST_DOCUMENT_BYTES)
    if len(document) > limit:
        findings.add("too_large", "(document)", f"{len(document):,} bytes; at most {limit:,} are checked")
        return Checked(tuple(findings.issues), dict(findings.counts))
    facts = examine(document)
    if facts is None:
        facts = explain(document, findings)
    for rule, path, found in hints(facts):
        findings.add(rule, path, found)
    issues = sorted(findings.issues, key=lambda issue: issue.severity is Severity.WARNING)
    return Checked(tuple(issues), dict(findings.counts), frozenset(facts.classes), facts.segmentation)


@lru_cache(maxsize=1)
def _decoder() -> Callable[[bytes], Any]:
    import msgspec

    # Raw: its bytes are walked, so the whole document is known to be JSON, but no object is built from them.
    shape = msgspec.defstruct("Document", [("openlabel", msgspec.Raw)])
    return msgspec.json.Decoder(shape).decode


def check_content(document: bytes) -> None:
    """Check that a document is well-formed JSON of the form `{"openlabel": {...}}`.

    Raises:
        Refused: With the reason `not_json` or `no_openlabel`.
    """
    import msgspec

    if not document.strip():
        raise Refused(Reason.NOT_JSON, "the document is empty.")
    try:
        parsed = _decoder()(document)
    except msgspec.ValidationError as error:
        raise Refused(
            Reason.NO_OPENLABEL, f"{error}; a prediction is a JSON object with the key 'openlabel'."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(Reason.NOT_JSON, f"not well-formed JSON: {error}{_hint(document)}") from None
    except RecursionError:
        raise Refused(Reason.NOT_JSON, "nested too deeply to be a prediction.") from None
    try:
        document.isascii() or document.decode()  # msgspec does not look into strings that it only walks over
    except UnicodeDecodeError as error:
        raise Refused(Reason.NOT_JSON, f"not UTF-8: {error}.") from None
    if bytes(parsed.openlabel)[:1] != b"{":
        raise Refused(Reason.NO_OPENLABEL, "'openlabel' is not an object.")


def _hint(document: bytes) -> str:
    if document.startswith(b"\xef\xbb\xbf"):
        return " The file starts with a byte order mark: save it as UTF-8 without one."
    if document[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return " The file is UTF-16: save it as UTF-8."
    return ""
