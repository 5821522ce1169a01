"""The command `convert`, run as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_provider_kognic import convert_cli
from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.openlabel import check
from tests.core.sources.converting.support import box, one_scene_each, scene, write_json
from tests.test_layers import PROJECT

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-W", "error", "-m", "airflow_provider_kognic", "convert"]


def run(*arguments: str | Path, command: Sequence[str] = COMMAND) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_documents_are_written_and_counted(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(1, score=0.9), box(2, score=0.1)])
    table = one_scene_each(tmp_path, (1, 2))
    classes = write_json(tmp_path / "classes.json", {"1": "Car"})
    given = ("--scenes", table, "--out", tmp_path / "out", "--classes", classes)
    done = run("coco", results, *given, "--min-confidence", "0.5")
    assert (done.returncode, done.stderr) == (0, "")
    (written,) = (tmp_path / "out").iterdir()
    assert written.name == f"{scene(0)}.json"
    assert check(written.read_bytes()).valid
    assert "2 detections read, 1 taken" in done.stdout
    assert "skipped: min_confidence (1)" in done.stdout
    assert f"1 document written to {tmp_path / 'out'}, 0 not written" in done.stdout
    done = run("coco", results, *given, "--min-confidence", "Car=0.5", "--empty-scenes", "send")
    assert done.returncode == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_refused_row_exits_with_1_and_the_others_are_written(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(1), box(1, bbox=(1, 2, 0, 4)), box(3)])
    table = one_scene_each(tmp_path, (1, 2))
    classes = write_json(tmp_path / "classes.json", {"*": "Car"})
    done = run("coco", results, "--scenes", table, "--out", tmp_path / "out", "--classes", classes)
    assert (done.returncode, done.stderr) == (1, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{scene(0)}.json"]
    assert f"refused: bad_size (1)\n    {results}, row 2, key 1: a box of 0 by 4 pixels" in done.stdout
    assert f"{results}, row 3, key 3: the table of scenes has no such key" in done.stdout


def test_a_long_conversion_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, every ten seconds; here each of them is over at once."""
    monkeypatch.setattr(convert_cli, "EVERY", 0.0)
    results = write_json(tmp_path / "r.json", [box(1), box(2)])
    classes = write_json(tmp_path / "classes.json", {"*": "Car"})
    given = ["--scenes", str(one_scene_each(tmp_path, (1, 2))), "--classes", str(classes)]
    assert main(["convert", "coco", str(results), *given, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert f"0 detections read, in {results}\n" in said.err
    assert "2 documents looked at\n" in said.err
    assert "looked at" not in said.out


def test_what_cannot_be_read_at_all_exits_with_2(tmp_path: Path) -> None:
    table = one_scene_each(tmp_path, (1,))
    done = run("coco", tmp_path / "nothing.json", "--scenes", table, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "'predictions' does not exist" in done.stderr
    done = run("coco", table, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "needs 'scenes'" in done.stderr
    done = run("nonsense", table, "--out", tmp_path / "out")
    assert done.returncode == 2


def test_of_an_empty_folder_nothing_is_made_whatever_the_format(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    table = one_scene_each(tmp_path, (1,))
    for name, more in (("coco", ("--scenes", table)), ("openlabel", ())):
        done = run(name, tmp_path / "empty", *more, "--out", tmp_path / "out")
        assert (done.returncode, done.stdout) == (2, "")
        assert str(tmp_path / "empty") in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("most", [0, -1])
def test_documents_of_no_byte_are_refused_before_anything_is_read(tmp_path: Path, most: int) -> None:
    done = run(
        "coco", tmp_path / "no", "--scenes", "no", "--out", tmp_path / "o", "--max-document-bytes", str(most)
    )
    assert done.returncode == 2
    assert done.stderr == (f"--max-document-bytes must be a whole number of bytes above 0, not {most}.\n")


def test_openlabel_is_filtered_too(tmp_path: Path) -> None:
    results = write_json(tmp_path / "r.json", [box(1, score=0.9), box(1, score=0.2)])
    table = one_scene_each(tmp_path, (1,))
    classes = write_json(tmp_path / "classes.json", {"*": "Car"})
    assert (
        run("coco", results, "--scenes", table, "--out", tmp_path / "a", "--classes", classes).returncode == 0
    )
    done = run("openlabel", tmp_path / "a", "--out", tmp_path / "b", "--min-confidence", "0.5")
    assert done.returncode == 0
    assert "skipped: min_confidence (1)" in done.stdout
    (written,) = (tmp_path / "b").iterdir()
    assert len(json.loads(written.read_bytes())["openlabel"]["objects"]) == 1


@pytest.mark.parametrize("command", ["module", "script"])
def test_the_command_line_is_as_promised(tmp_path: Path, command: str) -> None:
    """`convert FORMAT INPUT --scenes TABLE --out DIR [--classes FILE] ...`, also as a module."""
    results = write_json(tmp_path / "r.json", [box(1, score=0.9), box(2, score=0.1)])
    table, out = one_scene_each(tmp_path, (1, 2, 3)), tmp_path / "out"
    classes = write_json(tmp_path / "classes.json", {"1": "Car"})
    how = COMMAND
    if command == "script":
        module, _, function = PROJECT["project"]["scripts"]["airflow-provider-kognic"].partition(":")
        start = f"import sys; from {module} import {function}; sys.exit({function}())"
        how = [sys.executable, "-c", start, "convert"]
    given: list[str | Path] = ["coco", results, "--scenes", table, "--out", out]

    def codes(*more: str | Path) -> tuple[int, list[str]]:
        done = run(*given, *more, command=how)
        assert done.stderr == ""
        return done.returncode, sorted(path.name for path in out.iterdir())

    documents = [f"{scene(number)}.json" for number in range(3)]
    assert codes() == (1, [])  # ids are no names
    assert codes("--classes", classes) == (0, documents[:2])  # empty scenes are skipped
    for path in out.iterdir():
        path.unlink()
    assert codes("--classes", classes, "--min-confidence", "0.5") == (0, documents[:1])
    assert codes("--classes", classes, "--empty-scenes", "skip") == (0, documents[:2])
    assert codes("--classes", classes, "--empty-scenes", "send") == (0, documents)
    write_json(results, [box(1), box(2, bbox=(1, 2, 0, 4))])
    assert codes("--classes", classes, "--empty-scenes", "send") == (1, documents)


def test_a_full_disk_is_named_and_what_to_do_about_it(tmp_path: Path) -> None:
    """A real write that fails: no file of this process may be longer than half a megabyte."""
    rows = [{"image_id": n % 9, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5} for n in range(40_000)]
    (tmp_path / "r.json").write_text(json.dumps(rows))
    table = "".join(f"{n},{scene(n)},CAM\n" for n in range(9))
    (tmp_path / "s.csv").write_text(f"key,scene_uuid,stream\n{table}")
    (tmp_path / "c.json").write_text('{"1": "Car"}')
    place = tmp_path / "temporary"
    place.mkdir()
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, 1 << 19));"
    started = f"{limited} from airflow_provider_kognic.cli import main; sys.exit(main())"
    given: list[str | Path] = [
        "--scenes",
        tmp_path / "s.csv",
        "--classes",
        tmp_path / "c.json",
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(
        [sys.executable, "-c", started, "convert", "coco", tmp_path / "r.json", *given],
        env=os.environ | {"TMPDIR": str(place), "PYTHONPATH": str(ROOT)},
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert f"temporary files cannot be written to {place}: " in done.stderr
    assert "set TMPDIR in the environment to a folder on a larger disk" in done.stderr
    assert [*place.iterdir()] == []


def test_documents_of_an_earlier_run_are_told_and_not_removed(tmp_path: Path) -> None:
    """Whoever uploads the folder would send them, too; several inputs may share a folder."""
    table, out = one_scene_each(tmp_path, (1, 2)), tmp_path / "out"
    classes = write_json(tmp_path / "classes.json", {"*": "Car"})
    results = write_json(tmp_path / "r.json", [box(1, score=0.9), box(2, score=0.4)])
    given = ("coco", results, "--scenes", table, "--out", out, "--classes", classes)
    for _ in range(2):
        done = run(*given)
        assert done.returncode == 0
        assert "not of this run" not in done.stdout
    (out / f"{scene(9)}.json").write_text("{}")
    (out / "notes.txt").write_text("")
    done = run(*given)
    assert done.returncode == 0
    assert f"1 document in {out} is not of this run: {scene(9)}.json\n" in done.stdout
    done = run(*given, "--min-confidence", "0.5")
    assert done.returncode == 0
    assert f"2 documents in {out} are not of this run: {scene(1)}.json, {scene(9)}.json\n" in done.stdout
    assert "1 of them are of scenes of which this run makes no document" in done.stdout
    assert len(list(out.iterdir())) == 4
