"""In which stretches of names all are that may be in a range; what S3 makes of them is in tests/stores."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.models import Span
from airflow_provider_kognic.core.sources.ranges.listed import listed, stretches
from airflow_provider_kognic.core.sources.ranges.narrowed import name_of_file
from tests.core.sources.support import store_in_memory

SCENES = st.uuids().map(str)
SPACES = st.text(st.sampled_from(" \t\x85\xa0\u2003\u3000"), max_size=2)


@st.composite
def spellings(draw: st.DrawFn, near: str = "") -> str:
    """A file's name: a scene, each letter in either case and with spaces around it, or anything else."""
    scene = draw(SCENES)
    scene = near[: draw(st.integers(0, 36))].ljust(36) if draw(st.booleans()) and near else scene
    scene = "".join(one if one != " " else other for one, other in zip(scene, draw(SCENES), strict=True))
    cases = draw(st.lists(st.booleans(), min_size=36, max_size=36))
    mixed = "".join(one.upper() if up else one for one, up in zip(scene, cases, strict=True))
    whole = draw(SPACES) + mixed + draw(SPACES)
    cut = whole[: draw(st.integers(0, len(whole)))]
    text = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]))
    return draw(st.sampled_from([whole, whole, cut, draw(text)])) + ".json"


@given(st.data(), st.lists(SCENES, max_size=3, unique=True))
def test_no_name_of_a_range_is_outside(data: st.DataObject, ends: list[str]) -> None:
    first, before = [*sorted(ends), None, None][:2]
    span = data.draw(st.sampled_from([Span(first, before), Span(None, first), Span(before, None)]))
    found = stretches(span)
    name = data.draw(spellings(data.draw(st.sampled_from([span.first or "", span.before or ""]))))
    if span.holds(name_of_file(name)):
        assert sum(start <= name and (stop is None or name < stop) for start, stop in found) == 1
    for (_, stop), (start, _) in pairwise(found):
        assert stop is not None
        assert stop < start


def test_stretches_are_short() -> None:
    """One for each of eight shards, and little more of the others than what is spelled otherwise."""
    ends = [f"{digit}0000000-0000-4000-8000-000000000000" for digit in "2468ace"]
    scenes = [f"{digit:02x}000000-0000-4000-8000-000000000001" for digit in range(256)]
    spans = [Span(first, before) for first, before in zip([None, *ends], [*ends, None], strict=True)]
    for span in spans:
        met = [
            scene
            for scene in scenes
            for start, stop in stretches(span)
            if start <= f"{scene}.json" and (stop is None or f"{scene}.json" < stop)
        ]
        assert len(met) == 32


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_other_stores_are_listed_whole(tmp_path: object) -> None:
    assert listed(tmp_path, Span()) is None
    assert listed(store_in_memory(tmp_path), Span()) is None  # type: ignore[arg-type]
