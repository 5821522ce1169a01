"""Which names of classes are the same, and which are alike; what is neither is left to people.

Names are the same where every character is. They are alike where they differ in upper and lower case, in blanks,
underscores, hyphens and dots, or in how Unicode writes a character: `Traffic Light`, `traffic_light`.
Nothing else makes them alike: no plural, no other language, no shortened word, no class that holds another.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_NAMED = 10
_BETWEEN = re.compile(r"[\s_.\-\u2010-\u2015]+")


def normal_form(name: str) -> str:
    """Return what names that are alike have in common; of a name without letters or digits the name itself."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", name).casefold()) or name


def alike(predicted: Collection[str], annotated: Collection[str]) -> dict[str, str]:
    """Return the annotated class to each predicted one whose name is like its alone.

    Args:
        predicted: Classes of the predictions that have none of the same name.
        annotated: Classes of the annotations that have none of the same name.

    Returns:
        By the predicted name. Where several names of a side are alike nothing tells which is meant: none is in it.
    """
    of_annotations, of_predictions = _by_form(annotated), _by_form(predicted)
    return {
        names[0]: of_annotations[form][0]
        for form, names in sorted(of_predictions.items())
        if len(names) == 1 and len(of_annotations.get(form, ())) == 1
    }


def quoted(names: Collection[str]) -> str:
    """Return the first few of some names, for a message."""
    listed = list(names)
    more = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
    return ", ".join(map(repr, listed[:_NAMED])) + more


def _by_form(names: Iterable[str]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for name in names:
        found[normal_form(name)].append(name)
    return dict(found)
