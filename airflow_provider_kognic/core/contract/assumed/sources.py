"""Where facts come from: pages of Kognic's documentation, and packages with their versions."""

from __future__ import annotations

INTRODUCTION = "docs.kognic.com, dataset exploration: introduction"
FORMAT = "docs.kognic.com, dataset exploration: prediction format"
CONTENT = "docs.kognic.com, dataset exploration: understanding dataset content"
UPLOADING = "docs.kognic.com, dataset exploration: uploading predictions"
AUTH = "kognic-auth 4.5.2"
CLIENTS = "kognic-base-clients 2.6.0"
IO = "kognic-io 2.19.0"
OURS = "no source: our own assumption"
