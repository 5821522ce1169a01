"""An S3 for each test, empty but for its bucket, that Airflow knows as the connection `ml`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from airflow_provider_kognic.emulator import demo
from tests.core.support import content
from tests.stores.s3 import S3, running_s3

# Predictions in the folder of `day`.
COUNT = 30


@pytest.fixture(scope="session")
def shared_s3() -> Iterator[S3]:
    with running_s3() as s3:
        yield s3


@pytest.fixture
def s3(shared_s3: S3, airflow_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An empty S3; `s3://ml@preds/...` is its bucket, through the proxy.

    Airflow keeps the client of a connection as long as the process lives: who wants another configuration sets
    another connection, `monkeypatch.setenv("AIRFLOW_CONN_SLOW", s3.connection(read_timeout=...))`.
    """
    monkeypatch.setenv("AIRFLOW_CONN_ML", shared_s3.connection())
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # there is no such machine here to be asked
    shared_s3.reset()
    for client in S3FileSystem._cache.values():
        client.invalidate_cache()  # what it has listed in another test
    yield shared_s3
    shared_s3.proxy.clear()


@pytest.fixture
def day(s3: S3) -> S3:
    """A folder with a prediction of each of `COUNT` scenes."""
    s3.put_all({f"day/{demo.scene_uuid(i)}.json": json.dumps(content(i)) for i in range(COUNT)})
    return s3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stores' libraries, and Airflow's paths above them, warn of is theirs; warnings of ours are errors."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for kind in ("Deprecation", "PendingDeprecation", "Future", "User"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}Warning"))
            item.add_marker(pytest.mark.filterwarnings("error:::airflow_provider_kognic"))
