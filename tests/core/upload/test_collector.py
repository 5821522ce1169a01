"""The garbage collector while an upload runs, and afterwards."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from airflow_provider_kognic.core.upload.collector import quiet_collector
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import rows, settings_for, upload_all
from tests.patience import PATIENCE

USUAL = (700, 10, 10)


@pytest.fixture(autouse=True)
def usual_thresholds() -> Iterator[None]:
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(*USUAL)
    gc.enable()
    yield
    gc.set_threshold(*before)
    (gc.enable if enabled else gc.disable)()


class Cyclic:
    """Refers to itself: nobody but the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_it_looks_more_rarely_during_an_upload(emulator: Emulator, group: str) -> None:
    """And as before after it; it is never turned off."""
    seen = []

    def alongside() -> None:
        seen.append((gc.isenabled(), gc.get_threshold()))

    class Looks:
        def notice(self, _: object) -> None:
            alongside()

    upload_all(rows(3), settings_for(emulator), group, observers=[Looks()])
    assert seen
    assert all(enabled and threshold[0] > 10 * USUAL[0] for enabled, threshold in seen)
    assert gc.get_threshold() == USUAL


@pytest.mark.parametrize("how", [ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_it_is_put_back_however_that_ends(how: type[BaseException]) -> None:
    """An error, a signal, or the end of the task."""

    def end() -> None:
        assert gc.get_threshold() != USUAL
        raise how

    with pytest.raises(how), quiet_collector():
        end()
    assert gc.get_threshold() == USUAL


def test_it_is_put_back_where_an_upload_is_cancelled() -> None:
    """Its task may be cancelled wherever it waits."""

    async def story() -> None:
        begun = asyncio.Event()

        async def upload() -> None:
            with quiet_collector():
                begun.set()
                await asyncio.sleep(PATIENCE)

        task = asyncio.create_task(upload())
        await begun.wait()
        assert gc.get_threshold() != USUAL
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    assert gc.get_threshold() == USUAL


def test_the_last_of_several_uploads_puts_it_back() -> None:
    """They may overlap in threads, and the first to begin need not be the last to end."""
    entered, first_may_end, second_may_end = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with quiet_collector():
            entered.set()
            first_may_end.wait(PATIENCE)

    def second() -> None:
        with quiet_collector(), quiet_collector():
            entered.set()
            second_may_end.wait(PATIENCE)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        entered.clear()
        thread.start()
        assert entered.wait(PATIENCE)
    first_may_end.set()
    threads[0].join(PATIENCE)
    assert gc.get_threshold() != USUAL
    second_may_end.set()
    threads[1].join(PATIENCE)
    assert gc.get_threshold() == USUAL


def test_settings_of_others_stay() -> None:
    """Turned off, by either way to say so, or looking more rarely already; and what they say meanwhile."""
    for given in ((0, 10, 10), (1_000_000, 100, 100)):
        gc.set_threshold(*given)
        with quiet_collector():
            assert gc.get_threshold() == given
        assert gc.get_threshold() == given
    gc.set_threshold(*USUAL)
    gc.disable()
    with quiet_collector():
        assert not gc.isenabled()
    assert not gc.isenabled()
    gc.enable()
    with quiet_collector():
        gc.set_threshold(1234, 5, 6)
    assert gc.get_threshold() == (1234, 5, 6)


def test_it_is_put_back_where_there_is_no_third_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Python 3.14, which takes a third threshold and tells of it as 0."""
    told = gc.get_threshold
    monkeypatch.setattr(gc, "get_threshold", lambda: (*told()[:2], 0))
    with quiet_collector():
        assert gc.get_threshold()[0] > USUAL[0]
    assert gc.get_threshold() == (*USUAL[:2], 0)


def test_what_refers_to_itself_still_goes() -> None:
    """Or memory would grow with the number of predictions."""
    with quiet_collector():
        first = Cyclic()
        gone = weakref.ref(first)
        del first
        kept = 0
        while gone() is not None and kept < 1_000_000:
            Cyclic()
            kept += 1
        assert gone() is None
