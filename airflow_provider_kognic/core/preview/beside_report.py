"""The preview of a dry run: `r.html` beside its report `r.jsonl`, some of the documents that were read, drawn."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.preview.page import Look, page_of
from airflow_provider_kognic.core.preview.sampled import SampledSource
from airflow_provider_kognic.core.preview.survey import Survey
from airflow_provider_kognic.core.reporting.rows_file import beside, put

if TYPE_CHECKING:
    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.asking import Asking

logger = logging.getLogger(__name__)

# Of each document, taken apart: a dry run is not to take more memory than an upload.
_MOST_BYTES = 16 << 20
# Of each that may be drawn, kept: a store is mostly not asked again when the dry run is over.
_KEPT_BYTES = 256 << 10


class PlanPreview:
    """Sees the documents of a dry run and draws some of them.

    It never fails a dry run: what goes wrong is logged, and the report is there all the same.

    Args:
        report: The report's path, `....jsonl`; the page goes beside it, to `....html`.
        asking: How an object store is asked; once, for as long as it takes, if None.

    Raises:
        KognicInputError: The path does not end in `.jsonl`.
    """

    def __init__(self, report: StoredPath, asking: Asking | None = None) -> None:
        self.path = beside(report, "html", argument="report")
        self._asking = asking
        # The dry run itself holds documents against the rules.
        self._survey = Survey(checks=False, most_bytes=_MOST_BYTES, kept_bytes=_KEPT_BYTES)
        self._source: Source | None = None
        self._given = ""

    def watched(self, source: Source, given: str) -> Source:
        """Return a source whose documents are seen as they are read.

        Args:
            source: The predictions.
            given: What they were given as, for the page's title.
        """
        self._source = source
        self._given = masked(given)
        return SampledSource(source, self._survey)

    def write(self) -> None:
        """Write the page."""
        counts = getattr(self._source, "counts", None)
        try:
            look = Look(f"Preview of {self._given}", () if counts is None else tuple(counts.lines()))
            page = page_of(self._survey, look).encode("utf-8", "replace")

            def replace() -> None:
                stores.replace(self.path, io.BytesIO(page))

            put(self.path, replace, self._asking, size=len(page))
        except Exception:
            logger.exception(
                "The preview could not be written to %s; the report is there without it.", self.path
            )
