"""The command `contract`, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.contract.contract import Contract, Verdict
from airflow_provider_kognic.emulator import demo
from tests.conftest import connection_json
from tests.core.contract.worlds import MORE, SWITCHES
from tests.core.support import free_port
from tests.test_cli import ROOT, reads_provider_commands

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_kognic.emulator.testing import Emulator

OURS = (sys.executable, "-m", "airflow_provider_kognic", "contract")
AIRFLOWS = (sys.executable, "-m", "airflow", "kognic", "contract")
ALL = {**SWITCHES, "scopes": {demo.CLIENT_ID: ["api:read", "api:write"]}, "description": {"patch": MORE}}


def run(*command: str, emulator: Emulator | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    if emulator is not None:
        environment |= {
            "KOGNIC_CLIENT_ID": emulator.client_id,
            "KOGNIC_CLIENT_SECRET": emulator.client_secret,
        }
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=environment)


def at(emulator: Emulator) -> tuple[str, ...]:
    return "--host", emulator.url, "--auth-host", emulator.url


@pytest.mark.parametrize("command", [OURS, AIRFLOWS], ids=["ours", "airflow's"])
def test_it_asks_shows_and_writes(
    airflow_database: Path, tmp_path: Path, emulator: Emulator, command: tuple[str, ...]
) -> None:
    """With the connection of that id, as Airflow knows it."""
    if command is AIRFLOWS and not reads_provider_commands():
        pytest.skip("this Airflow reads no commands of providers")
    emulator.set_faults(**ALL)
    group = emulator.create_group()
    saved, report = tmp_path / "answers" / "contract.json", tmp_path / "contract.md"
    done = run(
        *command,
        *("--conn-id", "kognic_here", "--dataset", "demo", "--save", str(saved), "--report", str(report)),
        AIRFLOW_CONN_KOGNIC_HERE=connection_json(emulator),
    )
    assert done.returncode == 0, done.stderr
    assert "confirmed     datasets_listing      GET /v2/datasets lists the datasets.\n" in done.stdout
    assert "> on: doubt is settled by the listing\n" in done.stdout
    assert "0 contradicted, " in done.stdout.splitlines()[-1]
    contract = Contract.load(saved)
    assert contract.is_of(emulator.url.removeprefix("http://"))
    assert contract.verdict("predictions_listing") is Verdict.CONFIRMED
    assert contract.value("body_limit") == 300_000_000
    assert "| `body_limit` | confirmed | its description says 300,000,000 bytes | on: " in report.read_text()
    for text in (done.stdout, done.stderr, saved.read_text(), report.read_text()):
        assert emulator.client_secret not in text
        assert group not in text


def test_what_is_contradicted_is_an_exit_code(emulator: Emulator) -> None:
    emulator.set_faults(**ALL, sunset_date="2027-01-31")
    done = run(*OURS, *at(emulator), "--format", "json", emulator=emulator)
    assert done.returncode == 1, done.stderr
    contract = Contract.load(done.stdout)
    assert contract.verdict("lasting_endpoints") is Verdict.CONTRADICTED
    assert contract.sunsets["GET /v2/datasets"] == "2027-01-31"


def test_it_needs_no_airflow_without_a_connection(emulator: Emulator, tmp_path: Path) -> None:
    emulator.set_faults(**ALL)
    code = (
        "import sys\nfrom airflow_provider_kognic.cli import main\n"
        f"assert main(['contract', *{at(emulator)!r}, '--save', {str(tmp_path / 'c.json')!r}]) == 0\n"
        "assert 'airflow' not in sys.modules, 'imported'\n"
    )
    done = run(sys.executable, "-c", code, emulator=emulator)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "c.json").read_text())["host"] == emulator.url.removeprefix("http://")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no such device")  # noqa: PTH110
def test_what_cannot_be_shown_is_written_all_the_same(emulator: Emulator, tmp_path: Path) -> None:
    """By a full disk, which is an error; or as nobody reads on, as behind `head -1`, which is none."""
    emulator.set_faults(**ALL)
    for number, (shown, code) in enumerate((("> /dev/full", 2), ("| head -c 0", 0))):
        path = tmp_path / f"{number}.json"
        command = " ".join((*OURS, *at(emulator), "--save", str(path)))
        done = run("sh", "-c", f"{command} {shown}", emulator=emulator)
        assert done.returncode == code, done.stderr
        assert Contract.load(path).verdict("datasets_listing") is Verdict.CONFIRMED
        assert "Traceback" not in done.stderr
        assert ("the answer cannot be shown: No space left on device" in done.stderr) == bool(code)


def test_credentials_may_be_a_file(emulator: Emulator, tmp_path: Path) -> None:
    emulator.set_faults(**ALL)
    path = tmp_path / "credentials.json"
    given: dict[str, Any] = {
        "clientId": emulator.client_id,
        "clientSecret": emulator.client_secret,
        "email": "",
        "userId": 1,
        "issuer": "",
    }
    path.write_text(json.dumps(given))
    assert run(*OURS, *at(emulator), "--credentials", str(path)).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--save", ""), "--save is empty"),
        (("--save", "{tmp}"), "{tmp} cannot be written: "),
        (("--report", "{tmp}/a-file/r.md"), "{tmp}/a-file/r.md cannot be written: "),
        (("--save", "nosuchscheme://b/c.json"), "nosuchscheme://b/c.json cannot be opened"),
        (("--save", "{tmp}/c", "--report", "{tmp}/c"), "--save and --report name the same file"),
        (("--dataset", "nowhere"), "there is no dataset 'nowhere'"),
        (("--conn-id", "x"), "--conn-id names a connection, which has what --host and --auth-host would say"),
        (("--host", "http://127.0.0.1:{port}"), "no connection to 127.0.0.1"),
        (("--auth-host", "http://127.0.0.1:{port}"), "no token: no connection to 127.0.0.1"),
        (("--credentials", "{tmp}/none.json"), "the credentials cannot be used"),
    ],
)
def test_what_is_wrong_is_said(
    emulator: Emulator,
    tmp_path: Path,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing is written then."""
    (tmp_path / "a-file").write_text("")
    before = sorted(tmp_path.iterdir())
    given = [one.format(tmp=tmp_path, port=free_port()) for one in arguments]
    monkeypatch.setenv("KOGNIC_CLIENT_ID", emulator.client_id)
    monkeypatch.setenv("KOGNIC_CLIENT_SECRET", emulator.client_secret)
    assert main(["contract", *at(emulator), *given]) == 2
    out, err = capsys.readouterr()
    assert message.format(tmp=tmp_path) in err
    assert "token_endpoint" not in out  # Airflow 3.0 writes its log there
    assert sorted(tmp_path.iterdir()) == before


def test_a_connection_that_is_not_there_is_named(airflow_database: Path) -> None:
    done = run(*OURS, "--conn-id", "kognic_nowhere")
    assert done.returncode == 2
    assert "Airflow knows no connection 'kognic_nowhere'" in done.stderr
