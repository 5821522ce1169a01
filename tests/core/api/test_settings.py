"""Where Kognic is: what is taken, and what is refused before anything is sent."""

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_kognic.core.api.network import readable_certificates
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.values import check_connections, check_seconds


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://dataset.app.kognic.com", "https://dataset.app.kognic.com"),
        ("https://dataset.app.kognic.com/", "https://dataset.app.kognic.com"),
        ("https://dataset.app.kognic.com///", "https://dataset.app.kognic.com"),
        ("dataset.app.kognic.com", "https://dataset.app.kognic.com"),
        (" dataset.app.kognic.com/ ", "https://dataset.app.kognic.com"),
        ("kognic.example:8443", "https://kognic.example:8443"),
        ("https://gateway.example/kognic/", "https://gateway.example/kognic"),
        ("https://gateway.example//kognic//api/", "https://gateway.example/kognic/api"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://Kognic.Example", "https://kognic.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://kognic.example:443", "https://kognic.example"),
        ("http://localhost:80/", "http://localhost"),
        ("https://kognic.example:80", "https://kognic.example:80"),
        ("kognic.example:0443", "https://kognic.example"),
        ("https://kognic.example.:08443/Kognic", "https://kognic.example:8443/Kognic"),
        ("kognic.example:", "https://kognic.example"),
        ("http://LocalHost.:8080", "http://localhost:8080"),
        ("https://[0:0:0:0:0:0:0:1]:443", "https://[::1]"),
    ],
)
def test_urls(given: str, url: str) -> None:
    """With or without scheme and trailing slash; never with a double slash in the path."""
    settings = Settings(base_url=given, auth_host=given)
    assert settings.base_url == settings.auth_host == url
    assert "//" not in settings.base_url.partition("://")[2]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        "https://",
        "ftp://kognic.example",
        "https://user@kognic.example",
        "https://user:secret@kognic.example",
        "https://kognic.example?x=1",
        "https://kognic.example#x",
        "https://kog nic.example",
        "https://kognic.example:port",
        "https://kognic.example:99999",
        "https://[::1",
        "https://a..b",
        "https://" + "a" * 64 + ".example",
    ],
)
@pytest.mark.parametrize("name", ["base_url", "auth_host"])
def test_urls_that_are_none(name: str, given: str) -> None:
    """The message names the setting, and shows no password."""
    settings: dict[str, Any] = {name: given}
    with pytest.raises(KognicInputError, match="host") as caught:
        Settings(**settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["http://kognic.example", "http://10.0.0.1", "http://localhost.example", "http://0.0.0.0"]
)
@pytest.mark.parametrize("name", ["base_url", "auth_host"])
def test_clear_text_is_refused(name: str, host: str) -> None:
    """Tokens do not travel in clear text, unless somebody says so."""
    given: dict[str, Any] = {name: host}
    with pytest.raises(KognicInputError, match=r"clear text.*allow_http"):
        Settings(**given)
    assert getattr(Settings(**given, allow_http=True), name) == host


@pytest.mark.parametrize(("given", "number"), [(1, 1), (10, 10), ("7", 7), (" 3 ", 3)])
def test_connections(given: Any, number: int) -> None:
    """From 1 to 10, also as text."""
    assert check_connections(given) == number
    assert Settings(max_connections=given).max_connections == number


@pytest.mark.parametrize("given", ["", "ten", 2.0, "5.0", "5,0", "1e1", True, None])
def test_connections_that_are_no_whole_number(given: Any) -> None:
    """What is wrong is how it is written, not how many they are."""
    with pytest.raises(KognicInputError) as caught:
        Settings(max_connections=given)
    assert str(caught.value) == (
        f"max_connections must be a whole number from 1 to 10, written without a point; {given!r} is none."
    )


@pytest.mark.parametrize(
    "given", [0, 11, -1, 1000, "0", "11", "9" * 5000, 10**400, pytest.param(10**5000, id="digits")]
)
def test_connections_out_of_range(given: Any) -> None:
    """The refusal quotes Kognic's reason."""
    with pytest.raises(KognicInputError, match=r"1 to 10.*bigger than 10 might not work"):
        Settings(max_connections=given)


@pytest.mark.parametrize(
    "given",
    [
        0,
        -1,
        "soon",
        None,
        True,
        float("nan"),
        float("inf"),
        "nan",
        10**400,
        "9" * 5000,
        pytest.param(10**5000, id="digits"),
    ],
)
def test_timeouts_out_of_range(given: Any) -> None:
    """A timeout is a finite number of seconds above 0."""
    with pytest.raises(KognicInputError, match="timeout must be a number of seconds"):
        Settings(timeout=given)
    assert check_seconds("2.5", "timeout") == 2.5
    assert check_seconds(0, "outage_timeout", zero=True) == 0


@pytest.mark.parametrize(
    ("given", "proxy"),
    [
        (None, None),
        ("", None),
        ("http://proxy:3128", "http://proxy:3128"),
        ("proxy:3128", "http://proxy:3128"),
        ("https://u:p@proxy", "https://u:p@proxy"),
    ],
)
def test_proxies(given: str | None, proxy: str | None) -> None:
    """HTTP proxies, with or without scheme."""
    assert Settings(proxy=given).proxy == proxy


@pytest.mark.parametrize(
    "given", ["socks5://u:secret@proxy:1080", "http://", "http://u:secret@proxy:port", "://"]
)
def test_proxies_that_cannot_be_used(given: str) -> None:
    """Refused without showing a password."""
    with pytest.raises(KognicInputError, match="HTTP proxy") as caught:
        Settings(proxy=given)
    assert "secret" not in str(caught.value)


def test_an_empty_verify_does_not_switch_checks_off() -> None:
    """Nobody loses the check of certificates by leaving a field blank."""
    for blank in ("", "  "):
        with pytest.raises(KognicInputError, match="verify"):
            Settings(verify=blank)


TRUE = ["true", "t", "yes", "y", "on", "1"]
FALSE = ["false", "f", "no", "n", "off", "0"]


@pytest.mark.parametrize("word", [*TRUE, *FALSE])
@pytest.mark.parametrize("spelt", [str.lower, str.upper, str.title, " {} ".format])
def test_words_for_true_and_false(word: str, spelt: Callable[[str], str]) -> None:
    """As Airflow's `to_boolean` takes them: no word that is true there is the name of a file here."""
    settings = Settings(verify=spelt(word), allow_http=spelt(word))  # type: ignore[arg-type]
    assert (settings.verify, settings.allow_http) == (word in TRUE, word in TRUE)


@pytest.mark.parametrize("given", ["maybe", "onn", "", "2", 2, None, [], {}])
def test_what_is_neither_true_nor_false_is_refused_by_name(given: Any) -> None:
    """A typo switches nothing on, and nothing off."""
    with pytest.raises(KognicInputError, match="allow_http must be true or false"):
        Settings(allow_http=given)
    with pytest.raises(KognicInputError, match="verify"):
        readable_certificates(Settings(verify=given).verify)


def test_a_file_of_certificates_is_named_when_it_is_not_there() -> None:
    with pytest.raises(
        KognicInputError, match=r"^'verify' is neither true nor false, and names no file .*'offf'"
    ):
        readable_certificates(Settings(verify="offf").verify)


def test_secrets_are_not_shown() -> None:
    """Settings can be logged."""
    shown = repr(Settings(credentials=("id", "secret-a"), proxy="http://u:secret-b@proxy"))
    assert "secret" not in shown


def test_an_unknown_host_name_form() -> None:
    """Host names that no request can be made to are refused with the settings."""
    for host in ("https://a..b", "https://" + "x" * 70 + ".com", "https://ho st", "https://[::1"):
        with pytest.raises(KognicInputError):
            Settings(base_url=host)
    assert issubclass(KognicInputError, KognicError)


@pytest.mark.parametrize(
    "given",
    [
        "https://x/{dataset}",
        "https://x/{",
        "https://x/}",
        "https://x/{}",
        "https://x/{dataset_uuid}/{foo}",
        "https://x/{{dataset_uuid}}",
        "https://x/{predictions_group_uuid",
    ],
)
def test_a_page_with_braces_that_stand_for_nothing_is_refused(given: str) -> None:
    """It would be a link that leads nowhere."""
    with pytest.raises(KognicInputError, match=r"app_url .* has braces that stand for nothing"):
        Settings(app_url=given)


@pytest.mark.parametrize("given", ["ftp://x/{dataset_uuid}", "https://u:p@x/{dataset_uuid}"])
def test_a_template_is_of_a_page(given: str) -> None:
    """As a base URL is one."""
    with pytest.raises(KognicInputError, match="app_url"):
        Settings(app_url=given)


@pytest.mark.parametrize(
    ("given", "page"),
    [
        ("x.example/{dataset_uuid}/{predictions_group_uuid}", "https://x.example/D/G"),
        ("http://x/?d={dataset_uuid}#/{predictions_group_uuid}", "http://x/?d=D#/G"),
        ("https://x/{predictions_group_uuid}/", "https://x/G/"),
    ],
)
def test_the_template_of_a_page(given: str, page: str) -> None:
    """With or without scheme; behind '?' and '#', too."""
    assert Settings(app_url=given).predictions_group_page("D", "G") == page
