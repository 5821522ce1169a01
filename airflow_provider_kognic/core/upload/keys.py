"""The key that a prediction is sent with, where the server takes one (`idempotency_key`).

A server that knows such keys takes a second request with the same key for the first one. What a key must be:

    the same       each time that this upload sends one and the same prediction, in whichever of its attempts: then
                   what was executed without an answer is not made a second time
    another one    for another document; for the same document once more, after another one of its scene was created
                   (`on_changed="send"`, and the change taken back); for another upload, or `force`: whoever removed
                   predictions by hand and sends them anew would hear of those that are gone

So it is made of what the journal knows of the intent: the upload's name, the group, the scene, the document's
digest, and how many predictions of the scene were created before. Without a journal an upload is known to itself
alone, and so are its keys.

A key is only sent. It never settles doubt, and nothing is sent again because there is one: nobody says how long a
server remembers a key, and whether it does so for each answer. It says nothing to whoever reads it, and holds no
secret.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_kognic.core.journal.facade import Journal

# The namespace of these keys, made once.
_OURS = uuid.UUID("5b0f8f4e-52a1-4c0e-9d0b-6a4f5f6b2c11")


class Keys:
    """Makes the keys of one upload.

    Args:
        predictions_group_uuid: Where to.
        journal: Knows what was intended.
    """

    def __init__(self, predictions_group_uuid: str, journal: Journal) -> None:
        self._group = predictions_group_uuid.lower()
        self._journal = journal

    def of(self, scene_uuid: str) -> str:
        """Return the key of the prediction of a scene that is intended."""
        return str(
            uuid.uuid5(_OURS, "\n".join((self._group, scene_uuid, *self._journal.intent_of(scene_uuid))))
        )
