"""The URIs of assets: one form for each dataset and group, and a message for whatever else is written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.identity.asset_uris import Place, place_of, uri_of

DATASET = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
GROUP = "0f6f3b7f-2a10-4e55-8d3e-6c0e2b1a4f0e"
URI = f"kognic://dataset.app.kognic.com/datasets/{DATASET}/predictions-groups/{GROUP}"


@pytest.mark.parametrize(
    "written",
    [
        URI,
        f"KOGNIC://Dataset.App.Kognic.com.:443/datasets/{DATASET.upper()}/predictions-groups/{GROUP}/",
        f"kognic://somebody:secret@dataset.app.kognic.com/datasets/{DATASET}/predictions-groups/{GROUP}",
        f"kognic://somebody@dataset.app.kognic.com/datasets/{DATASET}/predictions-groups/{GROUP}?a=b#c",
        f"kognic://dataset.app.kognic.com/datasets/{DATASET.replace('-', '')}/predictions-groups/{GROUP}",
        f" kognic://dataset.app.kognic.com//datasets/{DATASET}//predictions-groups/{GROUP} ",
    ],
)
def test_a_group_has_one_uri_however_it_is_written(written: str) -> None:
    assert place_of(written).uri == URI
    assert place_of(written) == Place("dataset.app.kognic.com", DATASET, GROUP)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("[::1]:8080", "[::1]:8080"),
        ("gateway.example.com/kognic", "gateway.example.com/kognic"),
        ("gateway.example.com/datasets", "gateway.example.com/datasets"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("gateway.example.com/a%3fb%23c%20d%25", "gateway.example.com/a%3fb%23c%20d%25"),
    ],
)
def test_a_host_is_that_of_the_connection(host: str, shown: str) -> None:
    assert uri_of(host, DATASET, GROUP) == f"kognic://{shown}/datasets/{DATASET}/predictions-groups/{GROUP}"
    assert uri_of(host, DATASET) == f"kognic://{shown}/datasets/{DATASET}"
    assert place_of(uri_of(host, DATASET, GROUP)).predictions_group_uuid == GROUP


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("s3://bucket/key", "is no asset of Kognic"),
        (f"kognic:///datasets/{DATASET}", "has no host"),
        (f"kognic://:443/datasets/{DATASET}", "has no host"),
        (f"kognic://a.example:99999/datasets/{DATASET}", "a port that is no number"),
        (f"kognic://a.example:http/datasets/{DATASET}", "a port that is no number"),
        ("kognic://a.example", "names no dataset"),
        ("kognic://a.example/predictions-groups/x", "names no dataset"),
        ("kognic://a.example/datasets", "ends before the dataset's uuid"),
        ("kognic://a.example/datasets/night-drives", "'night-drives' is no uuid of a dataset; a name cannot"),
        (
            f"kognic://a.example/datasets/{DATASET}/predictions-groups",
            "ends before the predictions group's uuid",
        ),
        (
            f"kognic://a.example/datasets/{DATASET}/predictions-groups/v7",
            "'v7' is no uuid of a predictions group",
        ),
        (f"kognic://a.example/datasets/{DATASET}/scenes/{GROUP}", f"goes on with 'scenes/{GROUP}' behind"),
        (f"kognic://a.example/datasets/{DATASET}/predictions-groups/{GROUP}/x", "goes on with"),
        ("kognic://[::1/datasets", "is no URI"),
    ],
)
def test_what_is_wrong_with_a_uri_is_said(written: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"kognic|no URI") as raised:
        place_of(written)
    assert wrong in str(raised.value)


def test_a_message_shows_no_password() -> None:
    with pytest.raises(ValueError, match="names no dataset") as raised:
        place_of("kognic://somebody:secret@a.example/?token=secret")
    assert "secret" not in str(raised.value)


@settings(deadline=None)
@given(
    st.uuids(),
    st.uuids(),
    st.from_regex(r"[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,2}(:[1-9][0-9]{1,3})?", fullmatch=True),
)
def test_the_one_form_stays_as_it_is(dataset: object, group: object, host: str) -> None:
    uri = uri_of(host, str(dataset), str(group))
    assert place_of(uri).uri == uri
