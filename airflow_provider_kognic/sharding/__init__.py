"""Cutting a source into shards, which several tasks upload at the same time.

`shard_predictions` looks once at what there is, and returns a description for each shard: small dicts, over which
an `UploadPredictionsOperator` is mapped. `airflow_provider_kognic.operators.sharding` has the same as an operator.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.files import is_local
from airflow_provider_kognic.core.masking import masked, secrets_of
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.values import check_seconds
from airflow_provider_kognic.summaries import summarise
from airflow_provider_kognic.task.arguments.kinds import is_path
from airflow_provider_kognic.task.paths import to_path, to_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_kognic.core.sources.ranges.cutting import Piece

logger = logging.getLogger(__name__)

# Shards of which the log has a line each, and those that a message names.
_SHOWN = 20
_NAMED = 5
# At the end of a text that was too long for a summary.
_CUT = "…"


def shard_predictions(
    predictions: str | Path | ObjectStoragePath | None = None,
    *,
    manifest: str | Path | ObjectStoragePath | None = None,
    shards: int | None = None,
    max_items: int | None = None,
    max_bytes: int | None = None,
    outage_timeout: float = 600.0,
) -> list[dict[str, Any]]:
    """Cut a source into shards of about as many bytes, or of no more than so many predictions or bytes.

    A shard is a range of scenes, the first and the last one open: every scene is in exactly one, whatever is added
    to the source later, and nothing moves. The same source is cut in the same way each time. It is listed once, and
    no document is read; of a `.jsonl` file or a manifest all rows are.

    Args:
        predictions: A folder, a glob or a `.jsonl` file, as `UploadPredictionsOperator` takes it; or
        manifest: a manifest.
        shards: How many there are to be. There may be fewer, as none is empty; or
        max_items: most predictions of one, and
        max_bytes: most bytes of one. A single larger document has a shard of its own. Either or both may be given.
        outage_timeout: Seconds for which a store that does not answer is asked again.

    Returns:
        Their descriptions, at least one, to be given to `UploadPredictionsOperator` as `predictions` as they are:
        dicts with the source (`predictions` or `manifest`), the range (`first` is in it, `before` is not; None
        where it is open), `index`, `of`, `items` and `bytes`.

    Raises:
        KognicInputError: There is nothing to be read, it cannot be cut, or what is given does not go together.
        KognicStoreError: A store does not answer.
    """
    from airflow_provider_kognic.core.sources.ranges.cutting import Limits, cut
    from airflow_provider_kognic.core.sources.ranges.shard import Shard
    from airflow_provider_kognic.core.stores.patience import Patience

    limits = Limits.of(shards, max_items, max_bytes)
    patience = Patience(check_seconds(outage_timeout, "outage_timeout"))
    if (predictions is None) == (manifest is None):
        which = "neither is" if predictions is None else "both are"
        raise KognicInputError(f"give either 'predictions' or 'manifest'; {which} given.")
    where = patience.call(
        lambda: _text(predictions, "'predictions'") if manifest is None else _text(manifest, "'manifest'")
    )
    source = to_source(
        where if manifest is None else None, None if manifest is None else where, patience=patience
    )
    pieces = cut(source, limits)
    _say(pieces, where)
    return [
        Shard(where, manifest is not None, piece.span, index, len(pieces), piece.items, piece.bytes).to_dict()
        for index, piece in enumerate(pieces)
    ]


def sum_up_shards(
    given: Any,
    task_ids: str | Iterable[str] | None = None,
    *,
    receipts: str | Path | ObjectStoragePath | None = None,
    outage_timeout: float = 600.0,
) -> dict[str, Any]:
    """Add up what the uploads of all shards left: one summary, and one set of receipts.

    For a task with `trigger_rule="all_done"` after the mapped upload.

    Args:
        given: See `summaries.summarise`: the task instance that runs now, usually.
        task_ids: See there: the upload's task.
        receipts: Where the receipts of all shards go, `....jsonl`, and beside it those of what failed; nowhere if
            None, and where Airflow skipped all shards. It may be the path that the uploads were given, as they
            write theirs beside it.
        outage_timeout: Seconds for which a store that does not answer is asked again.

    Returns:
        The summary of all, see there, in which `receipts` is the path of the joint ones. `error` also says what is
        wrong with these: they lack those of a shard that left none, or cannot be written.

    Raises:
        KognicInputError: As `summarise` does; or `receipts` is no path of a `.jsonl` file.
    """
    total = summarise(given, task_ids)
    if receipts is None:
        return total
    from airflow_provider_kognic.core.reporting.receipts import join
    from airflow_provider_kognic.task.arguments import check_rows_path

    target = to_path(check_rows_path(receipts, "receipts"), "'receipts'")
    if len(total["skipped_shards"]) == total["shards"]:  # what an earlier run wrote there stays
        return {**total, "receipts": None}
    found: Mapping[str, str] = total["receipts"]
    there = {name: path for name, path in found.items() if not path.endswith(_CUT)}
    lacking = total["shards"] - len(total["skipped_shards"]) - len(there)
    wrong = []
    try:
        parts = [to_path(path, f"the receipts of {name}") for name, path in there.items()]
        count = join(parts, target, outage_timeout=check_seconds(outage_timeout, "outage_timeout"))
    except KognicError as error:
        wrong.append(f"The receipts of all shards could not be put together: {error}")
    else:
        logger.info("The receipts of %s, %s: %s", many(len(there), "shard"), many(count, "row"), target)
        total = {**total, "receipts": masked(str(target))}
    if lacking:
        without = [name for name in total["failed_shards"] + total["unknown_shards"] if name not in there]
        named = ", ".join(dict.fromkeys(without[:_NAMED]))
        wrong.append(
            f"The receipts lack those of {lacking:,} of {many(total['shards'], 'shard')}, which left none"
            f"{f' ({named})' if named else ''}."
        )
    return {**total, "error": "\n".join(filter(None, [total["error"], *wrong])) or None}


def _text(given: Any, what: str) -> str:
    """Return the text of a path that can be cut, and named to others.

    Raises:
        KognicInputError: It is none.
    """
    if isinstance(given, (list, tuple)):
        raise KognicInputError(
            f"{what} is a list, which is not cut: a shard would have to carry its rows through Airflow. Write them"
            " as a .jsonl file, or make a manifest of the files."
        )
    if is_path(given) and secrets_of(str(given)):
        raise KognicInputError(
            f"{what} is {masked(str(given))}, a URL with a password or a signature, which the shards would carry"
            " through Airflow's database. Name an Airflow connection instead, as in s3://<connection>@<bucket>/."
        )
    path = to_path(given, what)
    # Of this machine absolute, as the next task may run in another folder; of a store as it was given, so that the
    # source has the same name as all of it has that is uploaded without shards.
    return str(path) if is_local(path) else str(given)


def _say(pieces: list[Piece], where: str) -> None:
    lines = [
        f"  {piece.items:>9,} predictions {piece.bytes:>15,} bytes  from {piece.span.first or 'the start'}"
        for piece in pieces[:_SHOWN]
    ]
    more = [f"  and {len(pieces) - _SHOWN:,} more"] if len(pieces) > _SHOWN else []
    logger.info("%s in %s:\n%s", masked(where), many(len(pieces), "shard"), "\n".join([*lines, *more]))
