"""One name for a host, however it is typed."""

import pytest

from airflow_provider_kognic.core.hosts import is_loopback, is_same_host, normal_host, normal_url

URLS = {
    "https://dataset.app.kognic.com": [
        "HTTPS://Dataset.App.Kognic.Com",
        "https://dataset.app.kognic.com:443",
        "https://dataset.app.kognic.com:0443",
        "https://dataset.app.kognic.com:",
        "https://dataset.app.kognic.com.",
        "https://dataset.app.kognic.com.:443",
        "https://dataset\uff0eapp\u3002kognic.com",
        "https://\uff44ataset.app.kognic.com",
    ],
    "http://localhost": ["http://localhost:80", "http://LOCALHOST.:080"],
    "http://localhost:8080/Kognic": ["http://LocalHost.:08080/Kognic"],
    "https://xn--bcher-kva.example": [
        "https://b\u00fccher.example",
        "https://BU\u0308CHER.example.",
        "https://XN--Bcher-KVA.example",
    ],
    # As requests are made: in Python's own IDNA these would be `strasse.example`, another host.
    "https://xn--strae-oqa.example": ["https://stra\u00dfe.example", "https://STRA\u1e9eE.example"],
    "https://[2001:db8::1]:8443": ["https://[2001:0DB8:0:0::1]:8443"],
}


@pytest.mark.parametrize("url", URLS)
def test_spellings_of_one_host(url: str) -> None:
    for typed in (url, *URLS[url]):
        assert normal_url(typed) == url
        assert normal_url(normal_url(typed)) == url


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:8080", "http://127.0.0.1:8080"),
        ("http://a.example:443", "https://a.example"),
        ("https://a.example:80", "https://a.example"),
        ("https://a.example:8443", "https://a.example"),
        ("https://a.example/one", "https://a.example/two"),
        ("https://www.a.example", "https://a.example"),
    ],
)
def test_hosts_that_differ(one: str, other: str) -> None:
    assert normal_url(one) != normal_url(other)


def test_a_host_without_its_scheme() -> None:
    """As journals and receipts name it: of a port nobody knows whether it went without saying."""
    for text in ("a.example", "A.example.", "a.example:443", "a.example:0443", "a.example:80", "a.example:"):
        assert is_same_host(text, "a.example")
    others = (
        "a.example:8443",
        "b.example",
        "a.example/x",
        "",
        None,
        7,
        ["a.example"],
        "a.example:port",
        "[::1",
    )
    assert not any(is_same_host(other, "a.example") for other in others)
    assert is_same_host("A.example.:08443/Kognic", "a.example:8443/kognic")
    assert not is_same_host("a.example", "a.example:443")  # of http
    assert normal_host("A.example.:0443/X") == "a.example:443/x"
    assert normal_host("A.example:port") == "a.example:port"


def test_what_can_only_be_this_machine() -> None:
    for name in ("localhost", "LOCALHOST.", "127.0.0.1", "127.3.2.1", "::1"):
        assert is_loopback(name)
    for name in ("localhost.example", "a.localhost", "10.0.0.1", "::2", ""):
        assert not is_loopback(name)
