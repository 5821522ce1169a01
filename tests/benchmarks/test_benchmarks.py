"""What the benchmarks measure with is right: their figures, their documents, their servers, and their pictures."""

import json
import os
import threading
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_kognic.core.openlabel import check
from tests.benchmarks import __main__ as command
from tests.benchmarks.documents import LARGE, SMALL, document, make_folder, make_huge_folder, make_manifest
from tests.benchmarks.figures import Bar, ratios
from tests.benchmarks.parts.airflow import SETTINGS, slopes
from tests.benchmarks.plots import draw
from tests.benchmarks.processes import BrokenRunError, check_counts, running_server, serving
from tests.benchmarks.tasks import measuring

DOCS = Path(__file__).parents[2] / "docs"


def _ran(predictions: int, *, once: float, each: float) -> dict[str, float]:
    """The figures of a task that takes so many seconds once, and so many for each prediction."""
    seconds = once + each * predictions
    return {
        "predictions": predictions,
        "wall_s": seconds,
        "cpu_s": seconds / 2,
        "peak_bytes": 1e8,
        "answering_s": each * (predictions - 10),
    }


def test_what_a_task_does_once_is_no_part_of_what_a_prediction_takes() -> None:
    found = slopes(_ran(1_000, once=7, each=0.01), _ran(5_000, once=7, each=0.01))

    assert found["rate_per_s"] == pytest.approx(100)
    assert found["steady_per_s"] == pytest.approx(100)
    assert found["cpu_ms_each"] == pytest.approx(5)
    assert found["once_s"] == pytest.approx(7)
    assert found["once_cpu_s"] == pytest.approx(3.5)


def test_a_ratio_is_one_of_a_round_and_the_median_is_judged() -> None:
    rounds = {
        "ours": [{"cpu": 1.0}, {"cpu": 9.0}, {"cpu": 2.0}],
        "theirs": [{"cpu": 4.0}, {"cpu": 9.0}, {"cpu": 4.0}],
    }
    values = ratios(rounds, "ours", "theirs", "cpu")

    assert values == [0.25, 1.0, 0.5]
    assert Bar("CPU", values, 0.5).kept
    assert not Bar("CPU", values, 0.4).kept
    assert not Bar("rate", values, 0.6, at_least=True).kept


def test_a_run_counts_only_if_the_server_saw_each_prediction_once_and_ten_at_a_time() -> None:
    check_counts("ours", {"posts": 20, "most_in_flight": 10}, 20)
    with pytest.raises(BrokenRunError, match="to send 20 predictions, the server saw 21"):
        check_counts("ours", {"posts": 21, "most_in_flight": 10}, 20)
    with pytest.raises(BrokenRunError, match="11 requests in flight"):
        check_counts("ours", {"posts": 20, "most_in_flight": 11}, 20)


def test_a_task_measures_its_own_process_with_all_its_threads(tmp_path: Path) -> None:
    def burn() -> None:
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    conf = {"cores": cores, "thawed": False, "figures": str(tmp_path / "figures.json")}
    context = {"dag_run": SimpleNamespace(conf=conf)}
    measuring.begin(context)
    threads = [threading.Thread(target=burn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    measuring.finish(context, {"uploaded": 3})

    found = json.loads((tmp_path / "figures.json").read_text())
    assert 0.5 <= found["cpu_s"] <= found["process_cpu_s"]
    assert found["wall_s"] > 0
    assert found["peak_bytes"] >= found["begun_peak_bytes"] > 1 << 20
    assert found["result"] == {"uploaded": 3}


def test_documents_are_valid_and_of_the_size_that_was_asked_for(tmp_path: Path) -> None:
    for size in (SMALL, LARGE):
        assert check(document(size, 1)).issues == ()
    huge = make_huge_folder(tmp_path / "huge", 3, 5_000_000)
    first, *others = sorted(huge.iterdir())
    content = first.read_bytes()

    assert 4_900_000 < len(content) <= 5_000_000
    assert check(content).issues == ()
    assert [path.read_bytes() == content for path in others] == [True, True]


def test_a_manifest_names_documents_that_are_there(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "manifest", 50, 300)
    rows = [line.split(",") for line in manifest.read_text().splitlines()[1:]]

    assert len({scene for scene, _ in rows}) == 50
    assert all((manifest.parent / name).is_file() for _, name in rows)


def _ask(url: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_object_store_lists_and_reads_what_is_in_its_folder(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "some", 1_001, 300)
    with serving("object_store", str(tmp_path), "0") as (port, _):
        listing: list[tuple[str | None, str | None]] = []
        token = ""
        while token or not listing:
            more = f"&continuation-token={token}" if token else ""
            _, content = _ask(f"http://127.0.0.1:{port}/bucket?list-type=2&prefix=some/{more}")
            page = ET.fromstring(content)
            tag = page.tag.partition("}")[0] + "}"
            rows = page.findall(f"{tag}Contents")
            listing += [(row.findtext(f"{tag}Key"), row.findtext(f"{tag}Size")) for row in rows]
            token = page.findtext(f"{tag}NextContinuationToken") or ""
        key = listing[0][0]
        status, content = _ask(f"http://127.0.0.1:{port}/bucket/{key}")
        missing, _ = _ask(f"http://127.0.0.1:{port}/bucket/some/none.json")

    files = sorted(folder.iterdir())
    assert listing == [(f"some/{path.name}", str(path.stat().st_size)) for path in files]
    assert (status, content) == (200, files[0].read_bytes())
    assert missing == 404


def test_the_server_counts_what_it_was_sent() -> None:
    body = b"x" * 3_000_000
    with running_server() as server:
        server.reset(0.0)
        request = urllib.request.Request(f"{server.url}/v1/predictions-groups/g/predictions", data=body)
        for _ in range(2):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
        stats = server.stats()

    assert (stats["posts"], stats["received"], stats["most_in_flight"]) == (2, 2 * len(body), 1)
    assert stats["answering_s"] > 0


def _rounds(**figures: float) -> list[dict[str, float]]:
    return [{name: value * (1 + number / 10) for name, value in figures.items()} for number in range(3)]


def _measured() -> dict[str, Any]:
    each = _rounds(cpu_ms_each=2.5, steady_per_s=190, few_peak_bytes=1e8, many_peak_bytes=2e8)
    for one in each:
        one |= {"few_predictions": 1_000, "many_predictions": 5_000}
    clients = {"documented": each, "folder": each, "store": each, "sockets": each}
    return {
        "airflow": {
            "rates": clients,
            "cpu": {size: dict.fromkeys(SETTINGS, clients) for size in ("15 KB", "700 KB")},
        },
        "memory": [{"many_predictions": 100_000, "many_bytes": 3e8}],
    }


def test_pictures_show_the_medians_and_are_the_same_for_the_same_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, again = tmp_path / "first", tmp_path / "again"
    first.mkdir()
    again.mkdir()
    paths, others = draw(_measured(), first), draw(_measured(), again)

    assert [path.name for path in paths] == [
        "benchmarks-cpu.svg",
        "benchmarks-rate.svg",
        "benchmarks-memory.svg",
    ]
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in others]
    texts = ["".join(ET.parse(path).getroot().itertext()) for path in paths]
    assert "2.75" in texts[0]
    assert "209" in texts[1]
    assert "100,000 predictions" in texts[2]


def test_nothing_is_drawn_of_what_was_not_measured(tmp_path: Path) -> None:
    assert draw({"manifest": []}, tmp_path) == []


def test_a_part_runs_alone_and_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures.json"
    arguments = ["--quick", "--only", "manifest", "--work", str(tmp_path), "--json", str(figures)]

    assert command.main(arguments) == 0
    raw = json.loads(figures.read_text())
    assert [bar["name"] for bar in raw["bars"]] == ["manifest of 10,000 rows, dry run: peak memory"]
    assert raw["load"].keys() == {"manifest"}
    assert "not judged" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [figures]


def test_the_docs_name_each_part() -> None:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in command.PARTS if f"| `{name}` |" not in page] == []
