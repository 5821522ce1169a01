"""One document of an upload: what it has to pass before it is sent; asked in the threads that read."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.content import check_content
from airflow_provider_kognic.core.openlabel.rules import BY_IDENTIFIER, Severity
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.bounded import check_size
from airflow_provider_kognic.core.texts import about_one, sentence
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from airflow_provider_kognic.core.models import Prediction
    from airflow_provider_kognic.core.openlabel.checked import Checked
    from airflow_provider_kognic.core.openlabel.issues import Issue
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck
    from airflow_provider_kognic.core.validation.scene_check import SceneChecks

logger = logging.getLogger(__name__)

# Issues of a document that its refusal names, and documents with warnings that the log does.
_NAMED = 3
_SHOWN = 10
# The command line takes a file of JSON lines, and not one of its rows.
_LINE = re.compile(r"(?<=\.jsonl|ndjson):\d+\Z")


class Checks:
    """Decides whether a document may be sent; safe in threads.

    Args:
        options: How much is checked (`validation`), and how large a document may be (`max_document_bytes`).
        dataset: Knows the dataset's scenes and the group's classes, None to ask neither. Not asked where
            `validation` is `off`.
        scenes: Holds documents against their scenes, None to ask for no scene.
    """

    def __init__(
        self,
        options: UploadOptions,
        dataset: DatasetCheck | None = None,
        scenes: SceneChecks | None = None,
    ) -> None:
        self._strict = options.validation.checks_rules
        self._most = options.max_document_bytes
        self._dataset = dataset
        self._scenes = scenes
        self._lock = threading.Lock()
        self._warned = 0
        self._warnings: Counter[str] = Counter()

    @property
    def are_at_hand(self) -> bool:
        """Whether nothing is left to be asked, and so `examine` waits for no answer."""
        if self._scenes is not None:
            return False
        return not self._strict or self._dataset is None or self._dataset.is_at_hand

    def examine(self, prediction: Prediction, document: bytes) -> None:
        """Return if it may be sent.

        Raises:
            Refused: With the reason `too_large`, `invalid`, `no_annotations`, `class_not_mapped` or
                `scene_mismatch`; `not_json` or `no_openlabel` where only the content is checked.
            RoomClosedError: The run ends while a scene is asked for.
            KognicError: The dataset's annotations cannot be listed.
        """
        check_size(len(document), self._most)
        if self._strict:
            self._examine_strictly(prediction, document)
        else:
            check_content(document)
        if self._scenes is not None:
            self._scenes.check(prediction, document)

    def _examine_strictly(self, prediction: Prediction, document: bytes) -> None:
        if self._dataset is not None:
            self._dataset.check_scene(prediction.scene_uuid)
        checked = check_document(prediction, document, self._most)
        if checked.counts:
            self._note_warnings(prediction, checked)
        if self._dataset is not None:
            self._dataset.check_classes(checked)

    def log_findings(self) -> None:
        """Log what was found over all documents, at the end."""
        if self._warnings:
            counts = ", ".join(f"{rule} ({n:,})" for rule, n in self._warnings.most_common())
            logger.warning(
                "%s of the valid documents have warnings: %s. They may be right; docs/validation.md says what each"
                " means.",
                f"{self._warned:,}",
                counts,
            )
        if self._dataset is not None:
            self._dataset.log_findings()
        if self._scenes is not None:
            self._scenes.log_findings()

    def close(self) -> None:
        """Let everybody go who waits for an answer: the run ends."""
        if self._scenes is not None:
            self._scenes.close()

    def _note_warnings(self, prediction: Prediction, checked: Checked) -> None:
        with self._lock:
            self._warned += 1
            self._warnings.update(checked.counts.keys())
            number = self._warned
        if number <= _SHOWN:
            issue = checked.issues[0]
            more = checked.warnings - 1
            also = f" And {more:,} more." if more else ""
            logger.warning(
                "%s",
                about_one(
                    "warning",
                    issue.rule.identifier,
                    f"at {issue.path}: {sentence(issue.found)} {sentence(issue.advice)}{also}",
                    scene_uuid=prediction.scene_uuid,
                    source=prediction.source,
                ),
            )
        if number == _SHOWN:
            logger.warning("Further documents with warnings are counted, not shown.")


def check_document(prediction: Prediction, document: bytes, max_bytes: int = MOST_DOCUMENT_BYTES) -> Checked:
    """Return what was found in a valid document: its classes, and warnings.

    Raises:
        Refused: With the reason `invalid`, naming the first errors.
    """
    checked = check(document, max_bytes=max_bytes)
    if not checked.valid:
        raise Refused(Reason.INVALID, _first_errors(prediction, checked))
    return checked


def _first_errors(prediction: Prediction, checked: Checked) -> str:
    """Return the first errors in words: one of each rule before a second of any."""
    errors = [issue for issue in checked.issues if issue.severity is Severity.ERROR]
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, int, Issue]] = []
    for issue in errors:
        ranked.append((seen[issue.rule.identifier], len(ranked), issue))
        seen[issue.rule.identifier] += 1
    named = [issue for _, _, issue in sorted(ranked, key=lambda one: one[:2])[:_NAMED]]
    parts = [f"{one.rule.identifier} at {one.path}: found {one.found}. {one.advice}" for one in named]
    text = f"is not valid. {' '.join(parts)}"
    left = checked.errors - len(named)
    if not left:
        return text
    rules = sum(BY_IDENTIFIER[rule].severity is Severity.ERROR for rule in checked.counts)
    return (
        f"{text} And {left:,} more error{'s'[: left != 1]} (rules broken: {rules}); to see all:"
        f" python -m airflow_provider_kognic validate {_LINE.sub('', prediction.source)}"
    )
