"""Documents against the scenes that they predict: in the threads that read, which wait for the facts of a scene."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel.against_scene import has_errors, hold_against
from airflow_provider_kognic.core.openlabel.issues import Issues
from airflow_provider_kognic.core.openlabel.rule import Severity
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.scenes.asking import ClosedError
from airflow_provider_kognic.core.scenes.facts import Scene
from airflow_provider_kognic.core.sources.room import RoomClosedError
from airflow_provider_kognic.core.texts import about_one, many, sentence

if TYPE_CHECKING:
    from airflow_provider_kognic.core.models import Prediction
    from airflow_provider_kognic.core.openlabel.issues import Issue
    from airflow_provider_kognic.core.options import SceneCheck
    from airflow_provider_kognic.core.scenes.known import KnownScenes

logger = logging.getLogger(__name__)

# Issues of a document that its refusal names, and documents with findings that are only said that the log does.
_NAMED = 3
_SHOWN = 10


class SceneChecks:
    """Holds documents against their scenes, and counts; safe in threads.

    Args:
        known: Knows the scenes.
        mode: Whether what cannot be right refuses a document.
        max_range_m: The farthest that a cuboid's centre may be from the origin (m); None for any distance.
    """

    def __init__(self, known: KnownScenes, mode: SceneCheck, max_range_m: float | None = None) -> None:
        self._known = known
        self._mode = mode
        self._max_range_m = max_range_m
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._found: Counter[str] = Counter()

    def check(self, prediction: Prediction, document: bytes) -> None:
        """Return if the document may be sent; what is only said, the log has then.

        Raises:
            Refused: With the reason `scene_mismatch`.
            RoomClosedError: The run ends.
        """
        issues = Issues()
        self.hold(prediction.scene_uuid, document, issues)
        refuses = self._mode.refuses and has_errors(issues)
        with self._lock:
            if issues.counts:
                self._counts["refused" if refuses else "warned"] += 1
                self._found.update(issues.counts.keys())
            number = self._counts["warned"]
        if refuses:
            raise Refused(Reason.SCENE_MISMATCH, _said(issues))
        if issues.counts:
            self._warn(prediction, issues, number)

    def hold(self, scene_uuid: str, document: bytes, issues: Issues) -> None:
        """Add an issue for everything in a document that its scene says cannot be; see `hold_against`.

        Raises:
            RoomClosedError: The run ends.
        """
        try:
            scene = self._known.scene(scene_uuid)
        except ClosedError as error:
            raise RoomClosedError from error
        # Of a scene that cannot be asked for nothing is known; how far cuboids are, needs no scene.
        hold_against(document, scene or Scene(scene_uuid), issues, self._max_range_m)
        with self._lock:
            self._counts["unchecked" if scene is None else "checked"] += 1

    def close(self) -> None:
        """Let everybody go who waits: the run ends."""
        self._known.close()

    def flush(self) -> None:
        """Keep what is known of scenes for another try; may wait for a store."""
        self._known.flush()

    def counts(self) -> dict[str, Any]:
        """Return how many documents were held against their scenes, and what was found, for a summary."""
        with self._lock:
            numbers = {name: self._counts[name] for name in ("checked", "unchecked", "refused", "warned")}
            return {**numbers, "found": dict(self._found.most_common())}

    def log_findings(self) -> None:
        """Log what was found over all documents, at the end."""
        counts = self.counts()
        if not (counts["checked"] or counts["unchecked"]):
            return
        loud = counts["unchecked"] or counts["refused"] or counts["warned"]
        found = ", ".join(f"{rule} ({number:,})" for rule, number in counts["found"].items())
        logger.log(
            logging.WARNING if loud else logging.INFO,
            "%s checked against %s, %s not; %s refused for it, %s warnings%s.%s",
            many(counts["checked"], "document was", "documents were"),
            "its scene" if counts["checked"] == 1 else "their scenes",
            f"{counts['unchecked']:,}",
            many(counts["refused"], "was", "were"),
            many(counts["warned"], "has", "have"),
            f": {found}" if found else "",
            " docs/scenes.md says what each means." if found else "",
        )

    def page(self) -> list[str]:
        """Return the lines about it of a page for people, in Markdown."""
        counts = self.counts()
        lines = ["", "## Against the scenes", "", "| documents | number |", "| --- | ---: |"]
        lines += [f"| {name} | {counts[name]:,} |" for name in ("checked", "unchecked", "refused", "warned")]
        if counts["found"]:
            lines += ["", "| found | documents |", "| --- | ---: |"]
            lines += [f"| `{rule}` | {number:,} |" for rule, number in counts["found"].items()]
        return lines

    def _warn(self, prediction: Prediction, issues: Issues, number: int) -> None:
        if number <= _SHOWN:
            first = _ranked(issues)[0]
            more = sum(issues.counts.values()) - 1
            also = f" And {more:,} more." if more else ""
            logger.warning(
                "%s",
                about_one(
                    "warning",
                    first.rule.identifier,
                    f"at {first.path}: {sentence(first.found)} {sentence(first.advice)}{also}",
                    scene_uuid=prediction.scene_uuid,
                    source=prediction.source,
                ),
            )
        if number == _SHOWN:
            logger.warning("Further documents that do not fit their scenes are counted, not shown.")


def _ranked(issues: Issues) -> list[Issue]:
    """Return issues, errors first, and one of each rule before a second of any."""
    seen: Counter[str] = Counter()
    ranks = []
    for place, issue in enumerate(issues.listed):
        name = issue.rule.identifier
        ranks.append((issue.severity is not Severity.ERROR, seen[name], place))
        seen[name] += 1
    return [issues.listed[place] for _, _, place in sorted(ranks)]


def _said(issues: Issues) -> str:
    named = [issue for issue in _ranked(issues) if issue.severity is Severity.ERROR][:_NAMED]
    parts = [
        f"{one.rule.identifier} at {one.path}: {sentence(one.found)} {sentence(one.advice)}" for one in named
    ]
    left = sum(issues.counts.values()) - len(named)
    more = f" And {left:,} more." if left else ""
    return f"does not fit its scene. {' '.join(parts)}{more}"
