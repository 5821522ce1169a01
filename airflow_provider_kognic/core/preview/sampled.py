"""A source whose documents are surveyed while somebody else reads them, such as a dry run."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.preview.survey import Survey
    from airflow_provider_kognic.core.sources.base import Source

logger = logging.getLogger(__name__)


class SampledSource:
    """Another source, of which a survey sees each document as it is first read.

    Args:
        source: The other.
        survey: Looks at the documents. What goes wrong with that is logged, and reading goes on.
    """

    def __init__(self, source: Source, survey: Survey) -> None:
        self._source = source
        self._survey = survey
        self._failed = False

    @property
    def total(self) -> int | None:
        """That of the other source."""
        return self._source.total

    def __iter__(self) -> Iterator[Prediction | Result]:
        for position, entry in enumerate(self._source, 1):
            if isinstance(entry, Prediction):
                yield replace(entry, read=self._reading(position, entry))
            else:
                yield entry

    def _reading(self, position: int, entry: Prediction) -> Callable[[], bytes]:
        seen = False

        def read() -> bytes:
            nonlocal seen
            content = entry.read()
            if not seen and not self._failed:
                seen = True
                try:
                    self._survey.look(position, entry, content)
                except Exception:
                    self._failed = True
                    logger.exception("The preview goes without what is read from here on.")
            return content

        return read
