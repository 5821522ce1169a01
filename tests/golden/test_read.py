"""What was written before is read by the code as it is, and means the same."""

import base64
import json
import pickle
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.golden import access, dags, journals, state_store, surface, uploads
from tests.golden.kognic import Kognic, Store, TaskInstance, logged
from tests.golden.record import kept
from tests.golden.world import DATA, GROUP, HOST, World, prediction

NEWER = find_spec("airflow.models.task_state_store") is not None
needs_newer = pytest.mark.skipif(not NEWER, reason="Airflow before 3.3 has no task state store")


def of(kind: str, name: str) -> Any:
    """A file of JSON as it is kept."""
    return json.loads(kept(kind)[name])


# What is written now, and what each release wrote.
RELEASES = ["", *(f"released/{path.name}/" for path in sorted((DATA / "released").glob("*")))]
# And journals of the format's first version. What that says of a baseline counts in the attempt that took it alone.
VERSIONS = [*RELEASES, "version_1/"]


def test_what_each_release_wrote_is_kept() -> None:
    """`python -m tests.golden.record --release VERSION`, before the changelog gives the version its date."""
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    dated = re.findall(r"^## (\d\S*) \([\d-]+\)$", changelog, re.MULTILINE)
    assert RELEASES[1:] == [f"released/{version}/" for version in sorted(dated)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", journals.JOURNALS)
@pytest.mark.parametrize("read_only", [False, True], ids=["opened", "only looked at"])
def test_a_journal_means_the_same(name: str, version: str, tmp_path: Path, *, read_only: bool) -> None:
    """To every reader: its own upload, others, and by force."""
    now = journals.read(name, tmp_path, read_only=read_only, data=DATA / f"{version}journals")
    assert journals.by_readers(now) == of(f"{version}meanings", f"{name}.json")


@needs_newer
@pytest.mark.parametrize("version", VERSIONS)
def test_a_journal_in_the_state_store_means_the_same(version: str) -> None:
    now = state_store.read(of(f"{version}state_store", "journal.json")["values"])
    assert journals.by_readers(now) == of(f"{version}state_store_meanings", "journal.json")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_line_is_in_the_journals(version: str) -> None:
    """Or they would prove nothing about one."""
    found = kept(f"{version}journals")
    kinds = {
        line[0]
        for name, part in found.items()
        if name.endswith(".jsonl")
        for line in journals.lines(part)[1:]
    }
    assert kinds == set("bficrdu") | ({"B"} if version == "version_1/" else set())
    assert any(name.endswith("b.jsonl") for name in found)
    assert any(not part.endswith(b"\n") for part in found.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lease_left_behind_is_waited_for_and_then_taken_over(version: str, tmp_path: Path) -> None:
    """By an attempt of the same source; it is of another machine, so only its silence tells that it is dead."""
    shutil.copytree(DATA / f"{version}journals" / "disk", tmp_path / "j")
    journal = access.folder_journal(
        tmp_path / "j",
        host=HOST,
        group=GROUP,
        writer="a successor",
        source=journals.SOURCE,
        upload=journals.SECOND,
        force=True,
        ttl=0.5,
    )
    with logged() as lines:
        assert journals.known_of(journal)["begun_anew"] == 5
    said = "\n".join(lines.texts())
    assert (
        "Another attempt has the journal; waiting. It is a_dag/manual__2026-11-02/upload/3, try 2, on worker-1"
        in said
    )
    assert "gave no sign of life for # s: taking over." in said
    assert "process 4242 on worker-1" in said


@needs_newer
@pytest.mark.parametrize("version", VERSIONS)
def test_an_upload_goes_on_where_the_journal_ends(version: str, tmp_path: Path) -> None:
    """What is created is skipped, what was in doubt is asked for, the rest is sent."""
    from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

    shutil.copytree(DATA / f"{version}journals" / "disk", tmp_path / "j")
    operator = UploadPredictionsOperator(
        task_id="t",
        predictions=uploads.rows(*range(16)),
        predictions_group_uuid=GROUP,
        journal=str(tmp_path / "j"),
        on_changed="send",
        on_ambiguous="skip",
    )
    kognic = Kognic()
    with World().alive(), kognic.reached():
        summary = operator.execute({"ti": TaskInstance(run_id="another")})  # type: ignore[typeddict-item]
    meaning = of(f"{version}meanings", "disk.json")[0]["meaning"]
    states = {known: entry["state"] for known, entry in meaning["entries"].items()}
    doubts = {known for known, state in states.items() if state in {"INTENDED", "IN_DOUBT"}}
    assert summary["in_doubt"] == len(doubts)
    assert doubts.isdisjoint(kognic.sent)
    assert len(kognic.sent) == summary["uploaded"] == 16 - len(doubts)


@needs_newer
@pytest.mark.parametrize("release", RELEASES)
def test_what_is_in_the_state_store_is_gone_on_with(release: str) -> None:
    """By the operator that made a group, and is tried again."""
    for name, sent in (("created", 0), ("killed", 0), ("withdrawn", 1)):
        remembered = of(f"{release}groups", f"{name}.json")["remembered"]
        uuid = remembered["kognic.group"]["uuid"] or prediction(1)
        # A group of the name is there in each case but the last, in which none was made.
        groups = [] if name == "withdrawn" else [{"uuid": uuid, "name": "new"}]
        kognic = Kognic(groups=groups, group_posts=[prediction(1)])
        with World().alive() as world:
            how = state_store.create_group(kognic, Store(remembered), world, if_exists="create")
        assert how["returned"] == uuid
        assert 1 - len(kognic.group_posts) == sent


@pytest.mark.parametrize("release", RELEASES)
def test_receipts_are_a_manifest(release: str, tmp_path: Path) -> None:
    """Those of what failed, by which a later task sends only that."""
    from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

    root = tmp_path / "root"
    root.mkdir()
    texts = kept(f"{release}receipts")["r.failed.jsonl"].decode()
    sources = [json.loads(line)["source"] for line in texts.splitlines()]
    for source in sources:
        name = source.rpartition("/")[2].partition(":")[0]
        texts = texts.replace(json.dumps(source), json.dumps(f"{root}/{name}"))
        (root / name).write_text(json.dumps(uploads.content()))
    (tmp_path / "r.failed.jsonl").write_text(texts)
    operator = UploadPredictionsOperator(
        task_id="t",
        manifest=str(tmp_path / "r.failed.jsonl"),
        predictions_group_uuid=GROUP,
        journal=False,
        max_failures="100%",
    )
    kognic = Kognic()
    with kognic.reached():
        summary = operator.execute({})
    # All but what has no scene, and what is a second document of one.
    assert summary["refused"] == 2
    assert summary["uploaded"] == len(sources) - 2


def test_dags_are_serialized_as_before() -> None:
    """What is ours of them; the rest is Airflow's, and differs with its versions."""
    import airflow

    now = json.loads(json.dumps(dags.serialized()))
    if not airflow.__version__.startswith(kept("dags")["airflow.txt"].decode().strip() + "."):
        pytest.skip("the data is of another version of Airflow")
    assert dags.tasks_of(now) == dags.tasks_of(of("dags", "golden.json"))


@pytest.mark.parametrize("release", RELEASES)
def test_serialized_dags_are_deserialized(release: str) -> None:
    """Those of before where Airflow is the same, and those of now with any."""
    datas = [json.loads(json.dumps(dags.serialized()))]
    import airflow

    if airflow.__version__.startswith(kept(f"{release}dags")["airflow.txt"].decode().strip() + "."):
        datas.append(of(f"{release}dags", "golden.json"))
    for data in datas:
        tasks = {task.task_id: task for task in dags.deserialized(data).tasks}
        assert len(tasks) >= 14
        assert tasks["upload"].max_failures == "2%"
        links = {name: [link.name for link in task.operator_extra_links] for name, task in tasks.items()}
        of_a_group = {name for name, found in links.items() if "Kognic predictions group" in found}
        assert of_a_group == {name for name in tasks if not name.startswith("scenes")}
        assert all("Kognic dataset" in found for found in links.values())


@pytest.mark.parametrize(
    ("release", "name"),
    [(release, name) for release in RELEASES for name in of(f"{release}pickles", "errors.json")],
)
def test_pickled_errors_are_read(release: str, name: str) -> None:
    """With all that they say."""
    read = pickle.loads(base64.b64decode(of(f"{release}pickles", "errors.json")[name]))
    wanted = surface.examples()[name]
    assert type(read) is type(wanted)
    assert (str(read), vars(read)) == (str(wanted), vars(wanted))


@pytest.mark.parametrize("release", RELEASES)
def test_triggers_of_before_can_be_made(release: str) -> None:
    """As a triggerer of the new code makes those that tasks of the old one deferred to."""
    from importlib import import_module

    for path, arguments in of(f"{release}surface", "triggers.json"):
        module, _, name = path.rpartition(".")
        made = getattr(import_module(module), name)(**arguments)
        now, known = json.loads(json.dumps(made.serialize()))
        assert now == path
        assert known == {**known, **arguments}
        assert release or known == arguments
