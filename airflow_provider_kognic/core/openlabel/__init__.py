"""The rules of a prediction document, and what breaks them.

In comes one document as the bytes that are to be sent; out comes `Checked`: each issue with its rule, its place and
what to do about it, and the classes that the document declares. `check` finds everything. Most documents are fine,
and found to be so by `accept`, fast; the others are read again by `explain`, which finds every place. The two state
the rules twice, on purpose: `accept` accepts nothing that `explain` refuses. `check_content` asks no more than
whether it is a JSON object with an object `openlabel`. Nothing changes the document: it can be sent as it came.

`rules` is the list, and `scene_rules` of what a document has to keep of its scene: `against_scene` holds it
against what is known of that. `rule` is what a rule is, `issues` what is said of a breach, `plausibility` the
warnings, `schema` the types, `decoding` the bytes. Nothing here knows datasets, or where a document comes from.
It imports msgspec and Pillow where they are used (importing this loads neither), and of the core
`scenes.facts`, `models`, `reasons` and `values`.
"""

from __future__ import annotations

from airflow_provider_kognic.core.openlabel.checked import Checked
from airflow_provider_kognic.core.openlabel.content import check_content
from airflow_provider_kognic.core.openlabel.rules import Severity
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

__all__ = ["Checked", "check", "check_content"]


def check(document: bytes, *, max_bytes: int = MOST_DOCUMENT_BYTES) -> Checked:
    """Find everything that is wrong with a document.

    Args:
        document: The JSON of `{"openlabel": {...}}`, UTF-8.
        max_bytes: A larger document is refused unread, at most 256 MiB.

    Returns:
        The issues, and the classes that it declares. It is valid if no issue is an error; then kognic-openlabel
        takes it, too.
    """
    from airflow_provider_kognic.core.openlabel.accept import accept
    from airflow_provider_kognic.core.openlabel.explain import explain
    from airflow_provider_kognic.core.openlabel.issues import Issues
    from airflow_provider_kognic.core.openlabel.plausibility import plausibility_warnings

    issues = Issues()
    limit = min(max_bytes, MOST_DOCUMENT_BYTES)
    if len(document) > limit:
        issues.add("too_large", "(document)", f"{len(document):,} bytes; at most {limit:,} are checked")
        return Checked(tuple(issues.listed), dict(issues.counts))
    facts = accept(document)
    if facts is None:
        facts = explain(document, issues)
    for rule, path, found in plausibility_warnings(facts):
        issues.add(rule, path, found)
    ordered = sorted(issues.listed, key=lambda issue: issue.severity is Severity.WARNING)
    return Checked(tuple(ordered), dict(issues.counts), frozenset(facts.classes), facts.segmentation)
