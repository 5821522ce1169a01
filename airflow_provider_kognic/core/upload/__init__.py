"""The product: `upload(source, client, ...)` sends every prediction of a source, once, and accounts for each.

In come a source, a client that sends one prediction, a journal, and the options; out goes a report, and meanwhile a
stream of events. It may import everything of the core but `api`: protocols suffice.

    source --> reading --> journal --> sending --> journal --> tally
                  |  ^                    |
            doubts|  |what was            |answers lost
                  v  |not executed        v
                  reconciliation <--------+

What happens after an error is decided by the table in `core.retries`, what to do about an entry of the source by
`reading.decide`, and what a look at the group's listing means by `reconciliation.doubts`. What of the API is
optional is made use of where `switches` say so: `packing` compresses, `keys` tell one prediction from another.

Seven things bound how fast it goes. They stand in a row; a prediction passes one after the other:

    limiter                           bounds                            opened again by       at an early end
    -------                           ------                            ---------------       ---------------
    threads of `reading.intake`       documents read and checked at a   the end of a read     cut off after 2.5 s
                                      time: `max_connections`
    `reading.memory.MemoryLimit`      documents in memory: 2 a          a prediction that     lets all in, who then
                                      connection, 7 with a journal if   was sent, or need     go home
                                      they are small together           not be
    `sources.room.Room`               bytes of documents in memory:     the same              closed: all go home,
                                      `max_memory_bytes`, or one that                         nothing is read
                                      is larger
    `journal.writer.OpenIntents`      intents without a durable         a durable outcome     the journal's end, or
                                      outcome: 64, so that a kill                             the cut of the reader
                                      leaves no more in doubt
    `journal.writer.Demand`           intents without an outcome: as    an outcome            likewise
                                      many as are used up during a
                                      write, and some ahead
    `sending.group_circuit`           requests while 20 answers were    another answer, or    lets all through
                                      404 and none anything else        the verdict           to the next one
    `sending.throttle.Throttle`       requests in flight: the           an answer; a try      closed: `Closed` to
                                      connections, a slot less after    beyond the slots;     all who wait
                                      each 429, none in an outage       the outage's probe

`ending.Ending` knows none of them: those that have to wake somebody at an early end subscribe to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload.collector import quiet_collector
from airflow_provider_kognic.core.upload.run import Run
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.core.validation.documents import Checks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.core.reporting.events import Observer
    from airflow_provider_kognic.core.reporting.report import Report
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.upload.run import PredictionsClient
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck
    from airflow_provider_kognic.core.validation.scene_check import SceneChecks


async def upload(
    source: Source,
    client: PredictionsClient,
    *,
    predictions_group_uuid: str,
    options: UploadOptions | None = None,
    journal: Journal | None = None,
    group_exists: Callable[[], Awaitable[bool]] | None = None,
    dataset_check: DatasetCheck | None = None,
    scene_checks: SceneChecks | None = None,
    observers: Iterable[Observer] = (),
    stop: Stop | None = None,
    patience: Patience | None = None,
    switches: Switches | None = None,
) -> Report:
    """Send every prediction of a source to a predictions group, and account for each.

    What the journal knows as created is skipped, what was never sent is checked and sent, and what may have been
    executed is settled as `options.on_ambiguous` says.

    Args:
        source: Where the predictions come from.
        client: Sends one prediction at a time, lists what the group holds, and asks whether the API serves.
        predictions_group_uuid: The group's uuid.
        options: The policies and limits; the defaults if None.
        journal: Remembers across attempts; None for a memory that ends with this call. Opened and closed here.
        group_exists: Tells whether the group is in its dataset; asked after a 404. None if that is not known.
        dataset_check: Refuses scenes without annotations, and classes that are not mapped, where that is known; not
            asked where `options.validation` is `off`.
        scene_checks: Holds documents against their scenes, and is closed at an early end; None to ask for no scene.
        observers: Take what happens, see `reporting.events`.
        stop: Lets others end the run in order.
        patience: Asks again a store that does not answer: the source's own, if it has one; else None.
        switches: What of the API that is optional is made use of: the client's, if it has any; None for nothing.

    Returns:
        The report; what went wrong with single predictions, and what ended the run early, is in it.

    Raises:
        KognicJournalError: The journal cannot be opened or read: nothing was sent.
        KognicStoppedError: Asked to stop while another attempt held the journal: nothing was sent.
    """
    options = options or UploadOptions()
    run = Run(
        source,
        client,
        predictions_group_uuid,
        options,
        journal=Journal() if journal is None else journal,
        checks=Checks(options, dataset_check, scene_checks, limit=switches),
        group_exists=group_exists,
        observers=observers,
        stop=stop or Stop(),
        patience=patience or Patience(options.outage_timeout, options.backoff),
        switches=switches,
    )
    with quiet_collector():
        async with run.opened():
            await run.one_pass()
            async for done in run.reconciler.rounds():
                run.tally.add(*done.settled)
                await run.send_again(done.again)
            if run.ending.why is None:
                run.tally.add(*run.reconciler.give_up())
            # What matters most first: whoever asked the run to stop may not wait for the rest.
            await run.close_journal()
            if run.ending.why is not None:
                await run.account_for_the_rest()
            report = run.tally.report(run.ending.why, journaled=run.journal.remembers)
    run.say_how_it_ended(report)
    return report
