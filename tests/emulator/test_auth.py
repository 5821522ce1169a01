import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.api.auth import TOKEN_PATH
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.patience import wait_for

GRANT = {"grant_type": "client_credentials"}
FORM = GRANT | {"client_id": demo.CLIENT_ID, "client_secret": demo.CLIENT_SECRET}


def may_read(emulator: Emulator, token: str) -> bool:
    answer = httpx.get(f"{emulator.url}/v2/datasets", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


def test_credentials_are_taken_as_form_fields_and_by_http_basic(emulator: Emulator) -> None:
    by_form = httpx.post(emulator.url + TOKEN_PATH, data=FORM)
    by_basic = httpx.post(emulator.url + TOKEN_PATH, data=GRANT, auth=(demo.CLIENT_ID, demo.CLIENT_SECRET))
    for answer in (by_form, by_basic):
        token = answer.json()
        assert token["token_type"] == "Bearer"
        assert token["expires_in"] == 3600
        assert answer.headers["Cache-Control"] == "no-store"
        assert may_read(emulator, token["access_token"])


@pytest.mark.parametrize(
    "change", [{"client_secret": "wrong"}, {"client_id": "nobody"}, {"client_secret": ""}]
)
def test_a_wrong_client_gets_no_token(emulator: Emulator, change: dict[str, str]) -> None:
    answer = httpx.post(emulator.url + TOKEN_PATH, data=FORM | change)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.json()["message"]
    assert emulator.stats()["tokens_issued"] == 0


def test_another_grant_is_refused(emulator: Emulator) -> None:
    answer = httpx.post(emulator.url + TOKEN_PATH, data=FORM | {"grant_type": "password"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Basic abc", "Bearer \xff"])
def test_no_valid_token_is_401(emulator: Emulator, header: str | None) -> None:
    headers = [] if header is None else [(b"Authorization", header.encode("latin-1"))]
    answer = httpx.get(f"{emulator.url}/v2/datasets", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["message"]


def test_a_revoked_token_is_refused_and_others_stay_valid(emulator: Emulator) -> None:
    revoked, other = emulator.token(), emulator.token()
    credentials = {key: FORM[key] for key in ("client_id", "client_secret")}
    answer = httpx.post(f"{emulator.url}/v1/auth/oauth/revoke", data=credentials | {"token": revoked})
    assert answer.status_code == 200
    assert not may_read(emulator, revoked)
    assert may_read(emulator, other)
    emulator.revoke_tokens()
    assert not may_read(emulator, other)


def test_revocation_asks_for_credentials(emulator: Emulator) -> None:
    token = emulator.token()
    assert httpx.post(f"{emulator.url}/v1/auth/oauth/revoke", data={"token": token}).status_code == 401
    assert may_read(emulator, token)


def test_a_new_client_is_let_in(emulator: Emulator) -> None:
    emulator.add_client("someone", "söme secret:+%")
    form = GRANT | {"client_id": "someone", "client_secret": "söme secret:+%"}
    assert httpx.post(emulator.url + TOKEN_PATH, data=form).status_code == 200


def test_a_token_expires() -> None:
    with running_emulator(token_ttl=2) as emulator:
        token = emulator.token()
        assert may_read(emulator, token)
        wait_for(lambda: not may_read(emulator, token))


def test_kognics_own_client_is_served(emulator: Emulator) -> None:
    """kognic-auth fetches its token here and reads the datasets with it."""
    from kognic.auth.requests.auth_session import RequestsAuthSession

    session = RequestsAuthSession(auth=(demo.CLIENT_ID, demo.CLIENT_SECRET), host=emulator.url)
    answer = session.session.get(f"{emulator.url}/v2/datasets")
    session.session.close()
    assert demo.DATASET_UUID in {row["uuid"] for row in answer.json()["data"]}


def test_no_secret_and_no_token_is_kept_in_the_database(emulator: Emulator) -> None:
    token = emulator.token()
    files = emulator.database.parent.glob(emulator.database.name + "*")
    kept = b"".join(file.read_bytes() for file in files)
    assert demo.CLIENT_ID.encode() in kept
    assert demo.CLIENT_SECRET.encode() not in kept
    assert token.encode() not in kept
