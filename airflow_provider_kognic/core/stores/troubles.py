"""What an error of a store means: one table, by the error's class, code, HTTP status and errno.

Stores raise errors of many libraries, which are not imported here: they are known by the names of their classes,
by the codes of the services (Amazon S3, Google Cloud Storage, Azure Blob Storage: their lists of error responses),
and by what `errno` has for disks. What fits no row counts as a store that did not answer: a document that is not
read for an unknown reason is missing, not bad.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator


class Trouble(Enum):
    """What an error of a store means."""

    OF_THE_PATH = "what is at this path is not there, not allowed, or no file; other paths may be fine"
    NO_ANSWER = "the store did not answer, or not now: the same may succeed later"
    EXPIRED = "the store's credentials have expired: nothing succeeds until they are renewed"
    OF_THE_STORE = "the bucket, region or credentials are wrong: nothing succeeds until that is mended"


@dataclass(frozen=True)
class Row:
    """One row of the table. The first with a code of the error decides; else the first that fits otherwise.

    Attributes:
        trouble: What it means.
        codes: Codes of the services' error responses.
        statuses: HTTP statuses.
        classes: Names of classes of errors; their subclasses count, too.
        errnos: Numbers of `errno`.
        phrases: What stands in the texts of errors that have no class or code of their own.
        advice: What to do about it, for people.
    """

    trouble: Trouble
    codes: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    classes: frozenset[str] = frozenset()
    errnos: frozenset[int] = frozenset()
    phrases: tuple[str, ...] = ()
    advice: str = ""

    def names(self, facts: Facts) -> bool:
        """Tell whether the row is about an error by what the service calls it."""
        return bool(self.codes & facts.codes)

    def fits(self, facts: Facts) -> bool:
        """Tell whether the row is about an error by its status, class, number or text."""
        return bool(
            self.statuses & facts.statuses
            or self.classes & facts.classes
            or self.errnos & facts.errnos
            or any(phrase in facts.text for phrase in self.phrases)
        )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _errnos(text: str) -> frozenset[int]:
    """Return the numbers of names of errno; not every system has all of them."""
    return frozenset(getattr(errno, name) for name in text.split() if hasattr(errno, name))


ROWS = (
    Row(
        Trouble.EXPIRED,
        _words(
            "ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired InvalidToken"
            " ExpiredAuthenticationToken"
        ),
        frozenset({401}),
        _words(
            "TokenRetrievalError UnauthorizedSSOTokenError SSOTokenLoadError CredentialRetrievalError"
            " MetadataRetrievalError RefreshError"
        ),
        advice="Renew the credentials of the store's Airflow connection",
    ),
    Row(
        Trouble.OF_THE_STORE,
        _words("NoSuchBucket InvalidBucketName ContainerNotFound FilesystemNotFound InvalidResourceName"),
        classes=_words("MissingBucketError"),
        advice="There is no such bucket or container: look at its name in the path and at the connection's account",
    ),
    Row(
        Trouble.OF_THE_STORE,
        _words(
            "PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed"
            " IllegalLocationConstraintException InvalidLocationConstraint 301 307"
        ),
        frozenset({301, 307, 308}),
        # aiobotocore asks again where it is sent, and so on until Python ends it, where that is nowhere else.
        _words("NoRegionError RecursionError"),
        advice="The bucket is in another region: set 'region_name' in the extra of the store's Airflow connection",
    ),
    Row(
        Trouble.OF_THE_STORE,
        _words(
            "InvalidAccessKeyId SignatureDoesNotMatch RequestTimeTooSkewed AccountProblem AllAccessDisabled"
            " NotSignedUp InvalidSecurity CredentialsNotSupported AuthenticationFailed AccountIsDisabled"
            " InvalidAuthenticationInfo NoAuthenticationInformation InvalidClientTokenId"
            " UnrecognizedClientException"
        ),
        classes=_words(
            "NoCredentialsError PartialCredentialsError DefaultCredentialsError"
            " ClientAuthenticationError AirflowNotFoundException"
        ),
        advice="The store does not take the credentials of its Airflow connection: look at these, and at the clock",
    ),
    Row(
        Trouble.OF_THE_STORE,
        _words("InvalidURI"),
        # What no request is made with: of botocore's, and of Python where a library is not there or called wrongly.
        # Not every TypeError: some libraries raise one where a connection is lost at a bad moment.
        classes=_words(
            "ParamValidationError UnknownSignatureVersionError ConfigNotFound ConfigParseError InvalidConfigError"
            " ProfileNotFound InvalidRegionError InvalidS3AddressingStyleError InvalidRetryModeError"
            " InvalidRetryConfigurationError InvalidMaxRetryAttemptsError EndpointResolutionError ImportError"
            " NotImplementedError"
        ),
        phrases=(
            "Invalid endpoint",
            "nexpected keyword argument",
            "unsupported operand type",
            "WRONG_VERSION_NUMBER",
        ),
        advice="No request can be made so: look at the path, and at the extra of the store's Airflow connection",
    ),
    Row(
        Trouble.OF_THE_STORE,
        classes=_words("SSLCertVerificationError ClientConnectorCertificateError"),
        phrases=("CERTIFICATE_VERIFY_FAILED", "certificate verify failed"),
        advice="The store's certificate does not hold: look at its host and at 'verify' of its Airflow connection",
    ),
    Row(
        Trouble.NO_ANSWER,
        _words(
            "SlowDown ServiceUnavailable InternalError InternalFailure RequestTimeout OperationAborted Throttling"
            " ThrottlingException RequestLimitExceeded TooManyRequests TooManyRequestsException"
            " BandwidthLimitExceeded ServerBusy OperationTimedOut RequestThrottled BadDigest IncompleteBody"
            " PreconditionFailed ConditionNotMet InvalidRange 500 502 503 504"
        ),
        frozenset({408, 409, 412, 416, 425, 429, *range(500, 600)}),
        _words(
            "FileExpired FSTimeoutError TimeoutError ConnectionError IncompleteRead ChecksumError"
            " ClientPayloadError ClientConnectionError HttpProcessingError ResponseStreamingError HTTPClientError"
        ),
        _errnos(
            "EIO EREMOTEIO EBUSY EAGAIN EINTR ETIMEDOUT ESTALE ENOLINK EPIPE ECONNRESET ECONNREFUSED ECONNABORTED"
            " EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENETRESET ENOTCONN EMFILE ENFILE ENOMEM ENOBUFS ENOSPC"
            " EDQUOT"
        ),
    ),
    Row(
        Trouble.OF_THE_PATH,
        _words("AccessDenied NoSuchKey NoSuchVersion InvalidObjectState KeyTooLongError BlobNotFound BlobArchived"
               " PathNotFound ResourceNotFound AuthorizationFailure AuthorizationPermissionMismatch"
               " InsufficientAccountPermissions 403 404"),
        frozenset({400, 403, 404, 405, 410, 414}),
        _words("FileNotFoundError PermissionError IsADirectoryError NotADirectoryError NotAFileError"
               " UnicodeError UnsupportedOperation"),
        _errnos("ENOENT EACCES EPERM EISDIR ENOTDIR ELOOP ENAMETOOLONG EROFS EINVAL EILSEQ ENXIO"),
    ),
)  # fmt: skip

_DENIED = frozenset({"AccessDenied", "AuthorizationFailure", "AuthorizationPermissionMismatch", "403"})
_NO_RANGE = frozenset({416})
_OTHER_VERSION = frozenset({"PreconditionFailed", "ConditionNotMet", "InvalidRange", "412", "416"})
_NO_BUCKET = next(row for row in ROWS if "NoSuchBucket" in row.codes)
_UNKNOWN = Row(Trouble.NO_ANSWER)
_THERE_ALREADY = Row(Trouble.OF_THE_PATH)


@dataclass(frozen=True)
class Facts:
    """What is known of an error, and of those that caused it."""

    codes: frozenset[str]
    statuses: frozenset[int]
    classes: frozenset[str]
    errnos: frozenset[int]
    text: str


def trouble_of(error: BaseException) -> Trouble:
    """Return what an error of a store means.

    Args:
        error: As the store's library raised it; what caused it counts, too.
    """
    return _row_of(error).trouble


def advice_of(error: BaseException) -> str:
    """Return what to do about an error of a store, as a sentence; nothing where there is nothing to be said."""
    advice = _row_of(error).advice
    return f"{advice}." if advice else ""


def is_outage(error: BaseException) -> bool:
    """Tell whether an error certainly says that the store did not answer.

    Not so an error that no row is about, nor one that says that a condition does not hold: with these some stores
    tell that what was to be made is there.
    """
    row, facts = _row_of(error), _facts_of(error)
    is_condition = facts.statuses & {409, 412} or facts.codes & {"PreconditionFailed", "ConditionNotMet"}
    return row is not _UNKNOWN and row.trouble is Trouble.NO_ANSWER and not is_condition


def has_no_words(error: BaseException) -> bool:
    """Tell whether a store said no more than that something is not there, or not to be had.

    S3 has no words where it answers a HEAD (400, 403, 404), and s3fs none where it makes an error of its own of it.
    """
    codes = _facts_of(error).codes
    return bool(codes & {"400", "403", "404"}) or (isinstance(error, FileNotFoundError) and not codes)


def has_no_bucket(error: BaseException) -> bool:
    """Tell whether an error says that there is no such bucket or container: others of the store may be there."""
    return _row_of(error) is _NO_BUCKET


def is_empty(error: BaseException) -> bool:
    """Tell whether an object has no bytes: of such a one no range can be read."""
    facts = _facts_of(error)
    return bool("InvalidRange" in facts.codes or _NO_RANGE & facts.statuses)


def is_of_another_version(error: BaseException) -> bool:
    """Tell whether an object may be another one than the store's library had listed: gone, replaced or cut."""
    if trouble_of(error) in {Trouble.OF_THE_STORE, Trouble.EXPIRED}:
        return False
    if isinstance(error, (FileNotFoundError, KognicStoreError)):
        return True
    facts = _facts_of(error)
    return bool(_OTHER_VERSION & facts.codes or "FileExpired" in facts.classes or {412, 416} & facts.statuses)


def error_of(error: Exception, where: str) -> KognicError:
    """Return the error to be raised where it is about all that is to be read or written, not about one document.

    Args:
        error: As the store's library raised it; one of ours is returned as it is.
        where: Begins the message: a path, and what was to be done with it.

    Returns:
        KognicStoreError: The store did not answer.
        KognicStoreCredentialsError: Its credentials have expired.
        KognicInputError: Path, bucket, region or credentials are wrong.
    """
    if isinstance(error, KognicError):
        return error
    row = _row_of(error)
    advice = f" {row.advice}." if row.advice else ""
    said = sentence(f"{type(error).__name__}: {error}")
    if row is _NO_BUCKET:  # which the services say in other words, or not at all
        return KognicInputError(f"{where}.{advice}")
    if row is _UNKNOWN:
        return KognicStoreError(f"{where}: {said}")
    if row.trouble is Trouble.NO_ANSWER:
        return KognicStoreError(f"{where}: the store did not answer: {said}")
    if row.trouble is Trouble.EXPIRED:
        return KognicStoreCredentialsError(f"{where}: the store's credentials have expired: {said}{advice}")
    if not advice and _is_denied(error):
        advice = " The store's Airflow connection, or this worker, must be allowed to list and read there."
    return KognicInputError(f"{where}: {said}{advice}")


def _is_denied(error: BaseException) -> bool:
    facts = _facts_of(error)
    return bool(_DENIED & facts.codes or "PermissionError" in facts.classes)


def _row_of(error: BaseException) -> Row:
    if isinstance(error, FileExistsError):  # whose cause is, in S3, a condition that did not hold
        return _THERE_ALREADY
    facts = _facts_of(error)
    for fits in (Row.names, Row.fits):
        for row in ROWS:
            if fits(row, facts):
                return row
    return _UNKNOWN


def _facts_of(error: BaseException) -> Facts:
    codes: set[str] = set()
    statuses: set[int] = set()
    classes: set[str] = set()
    errnos: set[int] = set()
    texts: list[str] = []
    for one in _chain(error):
        classes |= {kind.__name__ for kind in type(one).__mro__}
        texts.append(str(one))
        response = _told(one, "response")
        if isinstance(response, dict):  # botocore.exceptions.ClientError
            codes.add(str(_within(response, "Error", "Code") or ""))
            statuses |= _numbers(_within(response, "ResponseMetadata", "HTTPStatusCode"))
        # azure.core: error_code, status_code; aiohttp: status; gcsfs and google.api_core: code.
        if (code := _told(one, "error_code")) is not None:
            codes.add(str(code))
        told = _numbers(_told(one, "status_code")) | _numbers(_told(one, "status"))
        # Only where it is the only one: aiohttp warns whoever asks for its `code`, which is its `status`.
        statuses |= told or _numbers(_told(one, "code"))
        if isinstance(one, OSError):
            errnos |= _numbers(one.errno)
            if str(one).startswith("Forbidden: "):  # gcsfs has no other sign of a 403
                statuses.add(403)
    return Facts(
        frozenset(codes), frozenset(statuses), frozenset(classes), frozenset(errnos), "\n".join(texts)
    )


def _told(error: BaseException, name: str) -> Any:
    """Return an attribute of somebody else's error; None where there is none, or asking for it raises."""
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001 - to know less of an error is better than another one in its place
        return None


def _within(response: dict[str, Any], part: str, name: str) -> Any:
    found = response.get(part)
    return found.get(name) if isinstance(found, dict) else None


def _numbers(value: Any) -> set[int]:
    return {value} if isinstance(value, int) else set()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from."""
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
