"""What uploads say of themselves: the summary of one, and the sum of several, failed ones included.

An `UploadPredictionsOperator` leaves a summary in the XCom `summary` whether it succeeds or fails, and its
exceptions carry the same (`airflow_provider_kognic.exceptions`). `summarise` adds up those of a mapped upload,
`summary_of` is for callbacks. A task that is killed outright leaves none: that is said, and not taken for zero.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.identity.run_manifest import common
from airflow_provider_kognic.core.texts import sentence

KEY = "summary"
"""The XCom that holds the summary of a task."""

COUNTS = ("uploaded", "skipped", "refused", "in_doubt", "unsent", "total")
"""The counts of predictions that every summary has."""

SUNSET = "sunset"
"""When each endpoint ends that announced it, by its method and path; only where any did."""

SWITCHES = "switches"
"""What of the API that is optional was made use of, and who says so; only where anybody does."""

MANIFEST = "run_manifest"
"""Who made the predictions; only where the upload was told."""

_WOULD_SEND = "would_send"  # a dry run's alone
_NAMES = ("predictions_group", "dataset", "source")
_WHERE = ("predictions_group_uuid", "dataset_uuid", "link", *_NAMES)
_FAILED = {"failed", "upstream_failed"}
_SHOWN = 5
_EXAMPLES = 2
_MOST_CAUSES = 6
_LEAST_ERROR_BYTES = 200
_LEAST_NAME_BYTES = 170

# In bytes as JSON: a summary stays below 4 KB, whatever the texts are made of.
MOST_BYTES = 3900
MOST_EXAMPLE_BYTES = 180
MOST_CAUSE_BYTES = 36
MOST_ERROR_BYTES = 1500
MOST_NAME_BYTES = 300
MOST_REASON_BYTES = 36
MOST_REASONS = 15
MOST_SUNSET_BYTES = 64
MOST_SUNSETS = 5
MOST_SWITCH_BYTES = 64
_MOST_SAID_BYTES = 200


@dataclass(frozen=True)
class _Shard:
    """One of the uploads that are added up.

    Attributes:
        name: What people call it: `upload[3]`.
        summary: What it left, or None.
        state: What Airflow says of its task, or None where that was not asked.
        asked: Whether Airflow could be asked for its summary.
    """

    name: str
    summary: Mapping[str, Any] | None
    state: str | None = None
    asked: bool = True

    @property
    def skipped(self) -> bool:
        """Whether it had nothing to do."""
        return self.summary is None and self.state == "skipped"

    @property
    def failed(self) -> bool:
        """Whether it failed, as far as that is known."""
        return self.state in _FAILED or bool(self.summary and self.summary.get("error"))

    @property
    def unknown(self) -> bool:
        """Whether its counts are not known, or not all of them."""
        if self.summary is None:
            return not self.skipped
        return not self.summary.get("counted", True) or bool(self.lacking)

    @property
    def lacking(self) -> list[str]:
        """The counts that every summary has, and this one has not."""
        return (
            [] if self.summary is None else [name for name in COUNTS if not _is_count(self.summary.get(name))]
        )

    def what_happened(self) -> str:
        """Say what became of it, where that is not what should."""
        if not self.asked:
            return f"{self.name}: Airflow gives no XComs here, outside of a task"
        if self.summary is None:
            return f"{self.name}: left no summary{f', its state is {self.state}' if self.state else ''}"
        source = f" ({self.summary['source']})" if self.summary.get("source") else ""
        said = self.summary.get("error")
        if not said and self.lacking:
            said = f"its summary has no number as {', '.join(self.lacking)}"
        said = said or f"its state is {self.state}"
        return f"{self.name}{source}: {cut(sentence(said), _MOST_SAID_BYTES)}"


def summarise(given: Any, task_ids: str | Iterable[str] | None = None) -> dict[str, Any]:
    """Add up the summaries of several uploads: of all shards of a mapped one, failed ones included.

    In a task with `trigger_rule="all_done"`, or in a callback, `summarise(ti, task_ids="upload")` asks Airflow
    which shards there are, how each ended, and what it left.

    Args:
        given: The task instance that runs now (`ti` of the context); or what was pulled from XComs: a summary or
            several, in which None stands for one that is missing.
        task_ids: With a task instance: the id of the upload's task, or several ids; its own task if None.

    Returns:
        A summary of all: its counts, `duration_s` and `reasons` are sums, `rate_per_s` is what one shard created in
        a second, on average; group, dataset, link and source are None where the shards differ in them. `sunset`
        has what any shard was told. `counted` is false, and `error` says why, if the counts of any are not known,
        or nothing was given. Instead of a task's id and try it has `shards`, their number, `receipts`, by the names
        of those that have some where they are, and the names of some shards in `failed_shards`, `unknown_shards`
        (of which the counts are not, or not all, known: those that were killed, did not begin, or could not go
        through their source) and `skipped_shards`. Where Airflow cannot be asked, as in a Dag's callback, the
        counts of all that were asked for are unknown. `switches` has those of any shard.

    Raises:
        KognicInputError: What is given is no summary, or the Dag run has no such task.
    """
    if not hasattr(given, "xcom_pull"):
        return _sum(_as_given(given))
    if isinstance(task_ids, str):
        task_ids = [task_ids]
    return _sum(
        [shard for task_id in task_ids or [given.task_id] for shard in _shards_of(given, str(task_id))]
    )


def summary_of(context: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the summary of the task whose callback was called; None where it left none.

    Args:
        context: What Airflow calls a task's `on_failure_callback`, `on_retry_callback` and `on_success_callback`
            with. A Dag's own callbacks are called with a task of Airflow's choice, where there may be no XComs.
    """
    carried: dict[str, Any] | None = getattr(context.get("exception"), "summary", None)
    if carried is not None:
        return carried
    try:
        ti = context["ti"]
        pulled: dict[str, Any] | None = ti.xcom_pull(task_ids=ti.task_id, key=KEY, map_indexes=ti.map_index)
    except Exception:  # noqa: BLE001 - where callbacks of lost tasks are run, an older Airflow gives no XComs
        return None
    return pulled


def shortened(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a summary of which names are cut where all of it is too much, and what ends and is switched left out.

    The log has these, too. Its error is cut last.
    """
    if len(json.dumps(summary)) > MOST_BYTES:
        names = {name: summary[name] for name in (*_NAMES, "receipts") if isinstance(summary[name], str)}
        summary = {**summary, **{name: cut(text, _LEAST_NAME_BYTES) for name, text in names.items()}}
    for key in (SUNSET, SWITCHES):
        while summary.get(key) and len(json.dumps(summary)) > MOST_BYTES:
            summary = {**summary, key: dict(list(summary[key].items())[:-1])}
    over = len(json.dumps(summary)) - MOST_BYTES
    error = summary["error"]
    if over <= 0 or not error:
        return summary
    return {**summary, "error": cut(error, max(_LEAST_ERROR_BYTES, len(json.dumps(error)) - over))}


def cut(text: str, most: int) -> str:
    """Return a text that takes at most so many bytes as JSON, with a sign where it was cut.

    Args:
        text: Whatever it is made of.
        most: Bytes.
    """
    if len(json.dumps(text)) <= most:
        return text
    short = text[:most]
    while short and len(json.dumps(short)) > most - len('"\\u2026"'):
        short = short[: len(short) * 9 // 10]
    return short + "…"


def _as_given(given: Any) -> list[_Shard]:
    """Return what was pulled, by the names that it has or by its place."""
    if given is None or isinstance(given, Mapping):
        given = [given]
    elif isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise KognicInputError(
            "summarise takes a task instance (and the ids of uploads), a summary or several, not"
            f" {type(given).__name__}."
        )
    found = []
    for place, one in enumerate(given):
        if one is not None and not (isinstance(one, Mapping) and "total" in one):
            raise KognicInputError(
                f"number {place} of what is to be summarised is no summary of an upload, as is in the XCom"
                f" {KEY!r}: {cut(repr(one), _MOST_SAID_BYTES)}"
            )
        found.append(_Shard(_name_of(one, place), one))
    return found


def _name_of(summary: Mapping[str, Any] | None, place: int) -> str:
    if not summary or not summary.get("task_id"):
        return f"[{place}]"
    return _name(str(summary["task_id"]), summary.get("map_index"))


def _name(task_id: str, map_index: Any) -> str:
    if not isinstance(map_index, int):
        return task_id
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


def _shards_of(ti: Any, task_id: str) -> list[_Shard]:
    """Ask Airflow for the shards of a task in this Dag run; for its only one where it is not mapped."""
    try:
        found = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id], run_ids=[ti.run_id])
    except (NameError, AttributeError):  # there is nobody to ask: see `summary_of`
        return [_Shard(task_id, None, asked=False)]
    states = found.get(ti.run_id, {})
    if not states:
        raise KognicInputError(f"this Dag run has no task {task_id!r} that could be summarised.")
    # A mapped task is `upload_0`, `upload_1`; one that is not, or was not mapped yet when its turn came, `upload`.
    by_index = {
        -1 if name == task_id else int(name[len(task_id) + 1 :]): str(getattr(state, "value", state))
        for name, state in states.items()
        if state != "removed"  # left of an earlier, longer mapping
    }
    indexes = sorted(by_index)
    # By their numbers: without, those that left nothing are not in what comes back, so nobody knows whose each is.
    pulled = ti.xcom_pull(task_ids=[task_id], key=KEY, map_indexes=indexes)
    return [
        _Shard(_name(task_id, index), summary, by_index[index])
        for index, summary in zip(indexes, pulled, strict=True)
    ]


def _sum(shards: list[_Shard]) -> dict[str, Any]:
    told = [shard.summary for shard in shards if shard.summary is not None]
    counts = {name: sum(one[name] for one in told if _is_count(one.get(name))) for name in COUNTS}
    dry = [one for one in told if one.get("dry_run")]
    seconds = sum(one.get("duration_s") or 0.0 for one in told)
    unknown = [shard for shard in shards if shard.unknown]
    failed = [shard for shard in shards if shard.failed]
    where = {name: _common(told, name) for name in _WHERE}
    total: dict[str, Any] = {
        "predictions_group_uuid": where.pop("predictions_group_uuid"),
        **_summed(told, "conversion"),
        **_summed(told, "scene_check"),
        **_sunset(told),
        **_switches(told),
        **(
            {"dry_run": len(dry) == len(told), _WOULD_SEND: sum(one.get(_WOULD_SEND) or 0 for one in dry)}
            if dry
            else {}
        ),
        **counts,
        "duration_s": round(seconds, 3),
        "rate_per_s": round(counts["uploaded"] / seconds, 2) if seconds > 0 else 0.0,
        "reasons": _reasons(told),
        **where,
        "counted": bool(shards) and not unknown,
        "error": _error(shards, failed, unknown),
        "receipts": {
            shard.name: shard.summary["receipts"]
            for shard in shards
            if shard.summary is not None and shard.summary.get("receipts")
        },
        "shards": len(shards),
    }
    manifests = [one[MANIFEST] for one in told if one.get(MANIFEST)]
    return {
        **shortened(total),
        **({MANIFEST: common(manifests)} if manifests else {}),
        "failed_shards": [shard.name for shard in failed],
        "unknown_shards": [shard.name for shard in unknown],
        "skipped_shards": [shard.name for shard in shards if shard.skipped],
    }


def _summed(told: list[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """Return the sum of what a key holds where any shard has it: numbers, and numbers by name."""
    found = [one[key] for one in told if one.get(key)]
    if not found:
        return {}
    total: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in found for name in one):
        values = [one[name] for one in found if name in one]
        if isinstance(values[0], Mapping):
            summed = _reasons([{"reasons": value} for value in values])
            total[name] = dict(list(summed.items())[:_MOST_CAUSES])
        elif isinstance(values[0], list):
            total[name] = [text for value in values for text in value][:_EXAMPLES]
        elif isinstance(values[0], str):
            total[name] = values[0]
        else:
            total[name] = sum(values)
    return {key: total}


def _sunset(told: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return which endpoints announced their end to any shard."""
    found = {what: date for one in told for what, date in (one.get(SUNSET) or {}).items()}
    return {SUNSET: dict(list(found.items())[:MOST_SUNSETS])} if found else {}


def _switches(told: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what of the API that is optional any shard made use of."""
    found = {name: said for one in told for name, said in (one.get(SWITCHES) or {}).items()}
    return {SWITCHES: found} if found else {}


def _is_count(given: Any) -> bool:
    return isinstance(given, int)


def _common(told: list[Mapping[str, Any]], name: str) -> Any:
    """Return what all that know it agree on; None where they do not."""
    known = [one[name] for one in told if one.get(name) is not None]
    return known[0] if known and all(value == known[0] for value in known) else None


def _reasons(told: list[Mapping[str, Any]]) -> dict[str, int]:
    """Return how often each reason occurred, the most frequent first."""
    found: dict[str, int] = {}
    for one in told:
        for reason, number in (one.get("reasons") or {}).items():
            found[reason] = found.get(reason, 0) + (number or 0)
    return dict(sorted(found.items(), key=lambda row: -row[1]))


def _error(shards: list[_Shard], failed: list[_Shard], unknown: list[_Shard]) -> str | None:
    """Say what is wrong with the shards; None where nothing is."""
    if not shards:
        return "No shard left a summary: nothing is known of the upload."
    parts = []
    if failed:
        parts.append(f"{len(failed):,} of {len(shards):,} uploads failed")
    if unknown:
        of_all = "" if failed else f" of {len(shards):,} uploads"
        parts.append(f"the counts of {len(unknown):,}{of_all} are not known, or not all")
    wrong = [shard for shard in shards if shard.failed or shard.unknown]
    if not wrong:
        return None
    head = "; ".join(parts)
    named = [shard.what_happened() for shard in wrong[:_SHOWN]]
    more = f" And {len(wrong) - _SHOWN:,} more." if len(wrong) > _SHOWN else ""
    return cut(f"{head[0].upper()}{head[1:]}. {' '.join(map(sentence, named))}{more}", MOST_ERROR_BYTES)
