"""The one table that says what a store's error means, with errors as the stores' libraries raise them."""

import asyncio
import errno
import socket
import ssl
import warnings
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicOutageError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.stores.troubles import ROWS, Trouble, error_of, has_no_words, trouble_of


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response: dict[str, Any] = {
            "Error": {"Code": code},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }


class HttpError(Exception):
    """As gcsfs', with the number of the status; aiohttp's ClientResponseError has it as `status`."""

    def __init__(self, code: int, name: str = "code") -> None:
        super().__init__("said by the store")
        setattr(self, name, code)


class HttpResponseError(Exception):
    """As azure.core's."""

    def __init__(self, status_code: int, error_code: str | None = None) -> None:
        super().__init__("said by the store")
        self.status_code, self.error_code = status_code, error_code


class ParamValidationError(Exception):
    """As botocore's, for a bucket's name with a space in it; nobody was asked."""


class HTTPClientError(Exception):
    """As botocore's, for whatever went wrong below it."""


class SSLError(ConnectionError):
    """As botocore's, which has one for all trouble of TLS."""


class ClientPayloadError(Exception):
    """As aiohttp's for an answer that broke off: the 400 is not the store's."""

    code = 400


def s3fs(kind: Any, code: str, status: int = 400) -> Exception:
    """As s3fs raises it: an OSError whose cause is botocore's."""
    error = kind("said by the store") if isinstance(kind, type) else OSError(kind, "said by the store")
    error.__cause__ = ClientError(code, status)
    assert isinstance(error, Exception)
    return error


CASES: list[tuple[Exception, Trouble]] = [
    *(
        (s3fs(errno.EBUSY, code, 503), Trouble.NO_ANSWER)
        for code in ("SlowDown", "ServiceUnavailable", "503")
    ),
    (s3fs(errno.EREMOTEIO, "InternalError", 500), Trouble.NO_ANSWER),
    (s3fs(TimeoutError, "RequestTimeout"), Trouble.NO_ANSWER),
    (s3fs(errno.EINVAL, "PreconditionFailed", 412), Trouble.NO_ANSWER),
    (s3fs(errno.EIO, "SomethingNew", 500), Trouble.NO_ANSWER),
    (s3fs(PermissionError, "ExpiredToken"), Trouble.EXPIRED),
    (s3fs(errno.EINVAL, "TokenRefreshRequired"), Trouble.EXPIRED),
    (s3fs(PermissionError, "AccessDenied", 403), Trouble.OF_THE_PATH),
    (s3fs(FileNotFoundError, "NoSuchKey", 404), Trouble.OF_THE_PATH),
    (s3fs(FileExistsError, "PreconditionFailed", 412), Trouble.OF_THE_PATH),
    (s3fs(FileNotFoundError, "NoSuchBucket", 404), Trouble.OF_THE_STORE),
    (s3fs(PermissionError, "InvalidAccessKeyId", 403), Trouble.OF_THE_STORE),
    (s3fs(PermissionError, "RequestTimeTooSkewed", 403), Trouble.OF_THE_STORE),
    (s3fs(errno.ENOENT, "PermanentRedirect", 301), Trouble.OF_THE_STORE),
    (s3fs(errno.EINVAL, "AuthorizationHeaderMalformed"), Trouble.OF_THE_STORE),
    (HttpError(503), Trouble.NO_ANSWER),
    (HttpError(429), Trouble.NO_ANSWER),
    (HttpError(401), Trouble.EXPIRED),
    (HttpError(502, "status"), Trouble.NO_ANSWER),
    (OSError("Forbidden: b/o\nno storage.objects.get access"), Trouble.OF_THE_PATH),
    (HttpResponseError(503, "ServerBusy"), Trouble.NO_ANSWER),
    (HttpResponseError(404, "ContainerNotFound"), Trouble.OF_THE_STORE),
    (HttpResponseError(404, "BlobNotFound"), Trouble.OF_THE_PATH),
    (HttpResponseError(409, "BlobArchived"), Trouble.OF_THE_PATH),
    (HttpResponseError(403, "AuthenticationFailed"), Trouble.OF_THE_STORE),
    (HttpResponseError(403), Trouble.OF_THE_PATH),
    (ClientPayloadError("not enough data"), Trouble.NO_ANSWER),
    (TimeoutError("60 s"), Trouble.NO_ANSWER),
    (asyncio.TimeoutError(), Trouble.NO_ANSWER),
    (ConnectionResetError(errno.ECONNRESET, "reset"), Trouble.NO_ANSWER),
    (socket.gaierror(socket.EAI_AGAIN, "name resolution"), Trouble.NO_ANSWER),
    (ssl.SSLCertVerificationError("self-signed"), Trouble.OF_THE_STORE),
    (ssl.SSLEOFError("EOF in the handshake"), Trouble.NO_ANSWER),
    (
        SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"),
        Trouble.OF_THE_STORE,
    ),
    (SSLError("EOF occurred in violation of protocol"), Trouble.NO_ANSWER),
    (s3fs(PermissionError, "InvalidClientTokenId", 403), Trouble.OF_THE_STORE),
    (ParamValidationError('Invalid bucket name "my bucket"'), Trouble.OF_THE_STORE),
    (ValueError("Invalid endpoint: http://"), Trouble.OF_THE_STORE),
    (TypeError("Got unexpected keyword argument 'retires'"), Trouble.OF_THE_STORE),
    (TypeError("'NoneType' object is not callable"), Trouble.NO_ANSWER),
    (HTTPClientError("unsupported operand type(s) for +: 'float' and 'str'"), Trouble.OF_THE_STORE),
    (SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), Trouble.OF_THE_STORE),
    (ModuleNotFoundError("No module named 'gcsfs'"), Trouble.OF_THE_STORE),
    (NotImplementedError(), Trouble.OF_THE_STORE),
    (OSError(errno.EIO, "disk"), Trouble.NO_ANSWER),
    (OSError(errno.ESTALE, "NFS"), Trouble.NO_ANSWER),
    (OSError(errno.ENOSPC, "full"), Trouble.NO_ANSWER),
    (FileNotFoundError("gone"), Trouble.OF_THE_PATH),
    (PermissionError("denied"), Trouble.OF_THE_PATH),
    (OSError(errno.ELOOP, "a link to itself"), Trouble.OF_THE_PATH),
    (RuntimeError("what nobody foresaw"), Trouble.NO_ANSWER),
]


@pytest.mark.parametrize(("error", "trouble"), CASES, ids=lambda value: repr(value)[:40])
def test_what_an_error_means(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble
    wrapped = RuntimeError("said by whoever stands between")
    wrapped.__context__ = error
    if not isinstance(error, FileExistsError):
        assert trouble_of(wrapped) is trouble


def test_what_an_error_does_where_it_is_asked_is_none_of_ours() -> None:
    """Aiohttp's `code` warns, of others an attribute may raise: what else is known of them decides."""
    from aiohttp import ClientResponseError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused = ClientResponseError(cast("Any", SimpleNamespace(real_url="https://h/a")), (), status=403)
        assert trouble_of(refused) is Trouble.OF_THE_PATH

    class RaisesError(FileNotFoundError):
        @property
        def code(self) -> int:
            raise RuntimeError("no answer was read")

        response = error_code = status_code = code

    assert trouble_of(RaisesError("gone")) is Trouble.OF_THE_PATH


def test_no_code_stands_in_two_rows() -> None:
    codes = [code for row in ROWS for code in row.codes]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (s3fs(errno.EBUSY, "SlowDown"), KognicStoreError, "s3://b/x: the store did not answer: OSError"),
        (s3fs(PermissionError, "ExpiredToken"), KognicStoreCredentialsError, "Renew the credentials"),
        (s3fs(FileNotFoundError, "NoSuchBucket"), KognicInputError, r"s3://b/x\. There is no such bucket"),
        (
            PermissionError("no"),
            KognicInputError,
            r"^s3://b/x: PermissionError: no\. .* must be allowed to list",
        ),
    ],
)
def test_what_is_raised_where_it_is_about_all(error: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        raise error_of(error, "s3://b/x")
    assert type(caught.value) is kind


def test_our_own_errors_are_left_as_they_are() -> None:
    ours = KognicOutageError("x")
    assert error_of(ours, "y") is ours


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, other = RuntimeError("1"), RuntimeError("2")
    one.__cause__, other.__cause__ = other, one
    assert trouble_of(one) is Trouble.NO_ANSWER


def test_the_answer_of_a_head_has_no_words() -> None:
    assert has_no_words(s3fs(PermissionError, "403"))
    assert not has_no_words(s3fs(PermissionError, "AccessDenied", 403))
