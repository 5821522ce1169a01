"""What a predictions group holds, asked of the server: what was there before, and what came of a lost answer.

Kognic documents no such listing, so nothing depends on it: where there is none, or it is not as expected, that is
said once, and doubt stays doubt.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicCredentialsError,
    KognicError,
    KognicOutageError,
    KognicUnauthorizedError,
)
from airflow_provider_kognic.core.journal.format import to_bytes, to_text
from airflow_provider_kognic.core.packed.tables import PackedGroups
from airflow_provider_kognic.core.paging import NoWayOnError, Page, Walk
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.texts import many, sentence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator

    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.packed.tables import PackedSet
    from airflow_provider_kognic.core.upload.ending import Ending

logger = logging.getLogger(__name__)

# A page that fails so often while the API serves otherwise is a page that cannot be had.
_TRIES = 3
# A listing from which predictions go away while it is read is begun again, until it was read so often.
_PASSES = 5


class ListedRow(Protocol):
    """A prediction that the group holds."""

    @property
    def uuid(self) -> str:
        """Its uuid, lower case."""

    @property
    def scene_uuid(self) -> str:
        """Its scene, lower case."""


class ListingClient(Protocol):
    """What the listing asks of a client; `api.async_client.AsyncKognicClient` is one."""

    async def list_predictions(self, predictions_group_uuid: str, ask: Mapping[str, str]) -> Page[ListedRow]:
        """Return the page of `ListedRow` that `Walk.ask` asks for; raises KognicError."""

    async def probe(self) -> None:
        """Ask something harmless; raises KognicError while the API does not serve."""


class _Unusable(Exception):  # noqa: N818 - a finding, no error: the upload goes on without a listing
    """There is no listing, or none that can be used."""


@dataclass(frozen=True)
class Look:
    """What the listing showed.

    Attributes:
        found: Predictions of the scenes asked for that are neither known to the journal nor were there before.
        complete: Whether it showed every prediction that the journal knows as created, and nothing went away while
            it was read, so that it can have skipped none.
        rows: How many predictions it showed.
    """

    found: dict[str, list[str]] = field(default_factory=dict)
    complete: bool = False
    rows: int = 0


class _Held(Mapping[str, Sequence[str]]):
    """Predictions of a group by their scenes: there may be a hundred thousand."""

    def __init__(self) -> None:
        self._uuids = PackedGroups()

    def __getitem__(self, scene_uuid: str) -> list[str]:
        return [to_text(one) for one in sorted(self._uuids.get(to_bytes(scene_uuid)))]

    def __iter__(self) -> Iterator[str]:
        return (to_text(scene) for scene, _ in self._uuids.items())

    def __len__(self) -> int:
        return len(self._uuids)

    def add(self, row: ListedRow) -> None:
        """Take in a prediction."""
        self._uuids.add(to_bytes(row.scene_uuid), [to_bytes(row.uuid)])

    def clear(self) -> None:
        """Forget all of them."""
        self._uuids.clear()


class Listing:
    """Asks which predictions a group holds.

    Attributes:
        unusable: Why it cannot be asked, once that is known, else None.

    Args:
        client: Fetches a page.
        predictions_group_uuid: The group.
        journal: Knows what was created, and what was there before.
        scenes: Returns the scenes of the source (16 bytes each); called only if the group is not empty.
        ending: Tells whether the run is to end.
        options: The pauses between tries (`backoff`), and after how many seconds without any answer it is an outage
            (`outage_timeout`).
        switches: Say whether there is one to be asked (`listing`), where that is known.
    """

    def __init__(
        self,
        client: ListingClient,
        predictions_group_uuid: str,
        journal: Journal,
        *,
        scenes: Callable[[], Awaitable[PackedSet]],
        ending: Ending,
        options: UploadOptions,
        switches: Switches | None = None,
    ) -> None:
        self.unusable: str | None = None
        self._known = None if switches is None else switches.listing
        if switches is not None and switches.listing is False:
            self.unusable = f"'predictions_listing' is {switches.to_dict().get('predictions_listing', 'off')}"
        self._client = client
        self._group = predictions_group_uuid
        self._journal = journal
        self._scenes = scenes
        self._ending = ending
        self._backoff = options.backoff
        self._patience = options.outage_timeout

    @property
    def usable(self) -> bool:
        """Whether it may be asked, as far as is known."""
        return self.unusable is None

    async def take_baseline(self) -> None:
        """Note what the group holds of this source's scenes, before any of them is sent in this attempt.

        What an earlier attempt noted does not do: others may have added to the group since, and the source may name
        more scenes by now.

        Raises:
            KognicCredentialsError: No token is to be had with the credentials.
            KognicOutageError: The API has not answered for too long.
            KognicJournalError: It could not be noted.
        """
        began = time.monotonic()
        wanted: PackedSet | None = None
        found = _Held()
        rows, of_these, undisturbed = 0, 0, False
        try:
            async for walk in self._walks(in_doubt=False):
                found.clear()
                rows = of_these = 0
                async for page in self._pages(walk):
                    rows += len(page)
                    if wanted is None:
                        logger.info("The group is not empty: listing what it holds before anything is sent.")
                        wanted = await self._scenes()
                    for row in page:
                        if to_bytes(row.scene_uuid) in wanted:
                            of_these += 1
                            if not self._journal.knows(row.scene_uuid, row.uuid):
                                found.add(row)
                undisturbed = not walk.disturbed
        except _Unusable as why:
            self._give_up(why)
            return
        if self._ending.why is not None:
            return
        self._warn_of_a_new_journal(found)
        await self._journal.take_baseline(found, wanted if rows else None, complete=undisturbed)
        logger.info(
            "The group held %s before this try sends any, %s of them of scenes in its source; listing"
            " them took %.1f s.",
            many(rows, "prediction"),
            f"{of_these:,}",
            time.monotonic() - began,
        )

    async def look(self, scenes: Collection[str]) -> Look | None:
        """Look for predictions of scenes in doubt.

        Args:
            scenes: Their uuids.

        Returns:
            What was found, or None where the server cannot be asked now, or the run is to end.

        Raises:
            KognicCredentialsError: No token is to be had with the credentials.
        """
        created = self._journal.created()
        seen = 0
        found: defaultdict[str, list[str]] = defaultdict(list)
        rows, undisturbed = 0, False
        try:
            async for walk in self._walks(in_doubt=True):
                found.clear()
                rows = seen = 0
                async for page in self._pages(walk):
                    rows += len(page)
                    for row in page:
                        if to_bytes(row.uuid) in created:
                            seen += 1
                        elif row.scene_uuid in scenes and row.uuid not in self._journal.before(
                            row.scene_uuid
                        ):
                            found[row.scene_uuid].append(row.uuid)
                undisturbed = not walk.disturbed
        except _Unusable as why:
            self._give_up(why)
            return None
        except KognicOutageError as error:
            logger.warning("The predictions of the group cannot be listed now: %s", error)
            return None
        if self._ending.why is not None:
            return None
        return Look(dict(found), undisturbed and seen == len(created), rows)

    def _warn_of_a_new_journal(self, found: Mapping[str, Sequence[str]]) -> None:
        if found and not self._journal.size and self._journal.remembers:
            logger.warning(
                "The journal is new, and the group already holds predictions of %s of this source, which"
                " will have another one. If an earlier run made them: is the journal the same, and mounted?",
                many(len(found), "scene"),
            )

    def _give_up(self, why: _Unusable) -> None:
        """Do without it from now on. No warning, unless somebody knew of one: nothing is lost, if no answer is."""
        self.unusable = str(why)
        logger.log(
            logging.WARNING if self._known else logging.INFO,
            "Doubt, if any, will be named, not settled: this server's listing of predictions cannot be used (%s).",
            why,
        )

    async def _walks(self, *, in_doubt: bool) -> AsyncIterator[Walk[ListedRow]]:
        """Yield a way through the listing, and another one while predictions go away from it as it is read.

        The last one may be disturbed, too.

        Args:
            in_doubt: Whether it is read to settle doubt.
        """
        for number in range(1, _PASSES + 1):
            walk: Walk[ListedRow] = Walk(lambda row: row.uuid)
            yield walk
            if self._ending.why is not None or not walk.disturbed:
                return
            if walk.cannot_be_checked:
                logger.log(
                    logging.WARNING if in_doubt else logging.INFO,
                    "The pages of the group's listing have one prediction each, so that nobody can tell whether"
                    " others went away meanwhile: none that it does not show is taken for not executed.",
                )
                return
            if number < _PASSES:
                logger.info("Predictions went away from the group while it was listed: listing it again.")
                await self._ending.sleep(self._backoff.delay(number))
        logger.warning(
            "Predictions went away from the group each of the %d times that it was listed, so that the listing may"
            " lack others: none that it does not show is taken for not executed. Remove predictions while nothing"
            " uploads.",
            _PASSES,
        )

    async def _pages(self, walk: Walk[ListedRow]) -> AsyncIterator[Sequence[ListedRow]]:
        """Yield what is new, page after page; ends early when the run is to end."""
        while self._ending.why is None and walk.ask is not None:
            page = await self._page(walk.ask)
            if page is None:
                return
            try:
                new = walk.take(page)
            except NoWayOnError as why:
                raise _Unusable(str(why)) from why
            if new:
                yield new

    async def _page(self, ask: Mapping[str, str]) -> Page[ListedRow] | None:
        """Return a page; None when the run is to end."""
        began, tries = time.monotonic(), 0
        while self._ending.why is None:
            try:
                return await self._client.list_predictions(self._group, ask)
            except KognicError as error:
                failure = error
            tries += 1
            await self._check_whether_to_try_again(failure, tries)
            if time.monotonic() - began >= self._patience:
                raise KognicOutageError(
                    f"no answer for {self._patience:.0f} s; the last error: {sentence(failure)}",
                    status=failure.status,
                    retry_after=failure.retry_after,
                ) from failure
            await self._ending.sleep(self._backoff.delay(tries, failure.retry_after))
        return None

    async def _check_whether_to_try_again(self, failure: KognicError, tries: int) -> None:
        """Return where the same page may come yet.

        Raises:
            _Unusable: It will not: whatever else that means for the upload, a POST will show.
            KognicCredentialsError: No token is to be had.
        """
        if isinstance(failure, KognicCredentialsError):
            raise failure
        if isinstance(failure, KognicUnauthorizedError) and tries == 1:
            return  # the next call comes with a new token
        if not may_repeat(failure, idempotent=True) or failure.status == HTTPStatus.NOT_IMPLEMENTED:
            raise _Unusable(str(failure))
        if isinstance(failure, KognicAmbiguousError) and tries >= _TRIES:
            try:
                await self._client.probe()
            except KognicError:
                return  # nothing answers: an outage
            raise _Unusable(str(failure))
