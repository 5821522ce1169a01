"""The kinds of faults, and what each can be told besides when it strikes."""

from typing import Literal

Kind = Literal[
    "ok",
    "429",
    "503_before",
    "503_after",
    "504_before",
    "504_after",
    "drop_before",
    "drop_after",
    "hang",
    "late_commit",
    "html_error",
    "garbage",
    "no_data",
    "same_uuid",
    "surplus",
    "drip",
    "gzip_bomb",
    "huge",
    "no_way_on",
    "endless",
    "revoke_tokens",
    "add_prediction",
    "remove_prediction",
    "status",
    "redirect",
    "latency",
]

_RETRY = {"retry_after", "retry_after_as"}

PARAMETERS: dict[str, set[str]] = {
    "ok": set(),
    "429": _RETRY | {"message"},
    "503_before": _RETRY | {"message"},
    "503_after": _RETRY | {"message"},
    "504_before": _RETRY | {"message"},
    "504_after": _RETRY | {"message"},
    "drop_before": {"reset"},
    "drop_after": {"reset"},
    "hang": {"seconds"},
    "late_commit": {"seconds", "answer"},
    "html_error": {"status", "commit"},
    "garbage": {"status", "body"},
    "no_data": {"status"},
    "same_uuid": {"uuid", "commit"},
    "surplus": {"status", "body", "seconds"},
    "drip": {"seconds", "part"},
    "gzip_bomb": {"size"},
    "huge": {"size"},
    "no_way_on": {"empty"},
    "endless": {"rows", "scene"},
    "revoke_tokens": set(),
    "add_prediction": {"group", "scene", "before"},
    "remove_prediction": {"group", "scene", "uuid", "which", "before"},
    "status": _RETRY | {"status", "message", "commit"},
    "redirect": {"status", "location", "commit"},
    "latency": {"seconds", "jitter"},
}

REQUIRED: dict[str, set[str]] = {
    "status": {"status"},
    "redirect": {"location"},
    "latency": {"seconds"},
    "hang": {"seconds"},
    "late_commit": {"seconds"},
    "drip": {"seconds"},
}

DEFAULT_STATUS = {"html_error": 502, "garbage": 200, "no_data": 200, "redirect": 302}

BY_A_PERSON = {"add_prediction", "remove_prediction"}

# What the API answered is altered, or written in another manner.
ALTERING = {"surplus", "drip", "gzip_bomb", "huge", "no_way_on", "endless"}

COMMITTING = {"503_after", "504_after", "drop_after", "garbage", "no_data"} | ALTERING
