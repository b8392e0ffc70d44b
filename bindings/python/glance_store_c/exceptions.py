"""The errors of the library, under the names that glance_store gave them."""

import enum

from ._abi import lib


class Status(enum.IntEnum):
    """The values of `gs_status`: what a program can act on."""

    FAILED = 1
    INVALID = 2
    BUG = 3
    CANCELLED = 4
    TIMEOUT = 5
    CALLBACK = 6
    FORKED = 7
    NOT_FOUND = 10
    DUPLICATE = 11
    STORAGE_FULL = 12
    WRITE_DENIED = 13
    FORBIDDEN = 14
    NOT_AUTHENTICATED = 15
    IN_USE = 16
    UNKNOWN_SCHEME = 20
    BAD_URI = 21
    UNKNOWN_STORE = 22
    BAD_CONFIG = 23
    DRIVER_UNAVAILABLE = 24
    UNKNOWN_HASH = 25
    NOT_SUPPORTED = 26
    ADD_DISABLED = 27
    UNAVAILABLE = 30
    TOO_MANY_REDIRECTS = 31
    NO_ENDPOINT = 32
    SIZE_MISMATCH = 40
    VERIFY_FAILED = 41

    @classmethod
    def _missing_(cls, value):
        """A status that a newer library added counts as a failure."""
        return cls.FAILED


class GlanceStoreException(Exception):
    """Any failure of the library.

    status      a Status
    message     one line that names the operation, the thing and the cause; secrets are removed
    errno       the operating system's error number, 0 for none
    http_status the server's answer, 0 for none
    retryable   whether the same call may succeed later
    """

    def __init__(self, message, status=Status.FAILED, errno=0, http_status=0, retryable=False):
        super().__init__(message)
        self.message = self.msg = message
        self.status = Status(status)
        self.errno = errno
        self.http_status = http_status
        self.retryable = retryable


class BackendException(GlanceStoreException):
    """The backend failed in a way that has no better name."""


class UnsupportedBackend(BackendException):
    """The backend cannot do that at all."""


class RedirectException(GlanceStoreException):
    """The server sent the request elsewhere."""


class MissingCredentialError(GlanceStoreException):
    """A credential that the authentication needs is not configured."""


class BadAuthStrategy(GlanceStoreException):
    """The configured way to authenticate is not the server's."""


class AuthorizationRedirect(GlanceStoreException):
    """The identity service sent the request elsewhere."""


class NotFound(GlanceStoreException):
    """There is no image at that location."""


class UnknownHashingAlgo(GlanceStoreException):
    """No hash has that name; `hash_names()` lists them."""


class UnknownScheme(GlanceStoreException):
    """No configured store serves that scheme, or none has that id."""


class BadStoreUri(GlanceStoreException):
    """The storage URI is malformed."""


class Duplicate(GlanceStoreException):
    """An image with that id exists already."""


class StorageFull(GlanceStoreException):
    """There is no room for the image."""


class StorageWriteDenied(GlanceStoreException):
    """The backend refuses to be written to."""


class AuthBadRequest(GlanceStoreException):
    """The identity service did not understand the request."""


class AuthUrlNotFound(GlanceStoreException):
    """There is no identity service at the configured URL."""


class AuthorizationFailure(GlanceStoreException):
    """The identity service refused."""


class NotAuthenticated(GlanceStoreException):
    """The backend does not know the caller."""


class Forbidden(GlanceStoreException):
    """The caller may not do that to the image."""


class Invalid(GlanceStoreException):
    """An argument is wrong, or the data is not what was promised."""


class BadStoreConfiguration(GlanceStoreException):
    """The configuration is wrong; the message says where."""


class DriverLoadFailure(GlanceStoreException):
    """A library that the driver needs is missing."""


class StoreDeleteNotSupported(GlanceStoreException):
    """The store cannot delete."""


class StoreGetNotSupported(GlanceStoreException):
    """The store cannot read."""


class StoreRandomGetNotSupported(StoreGetNotSupported):
    """The store cannot read from an offset."""


class StoreAddDisabled(GlanceStoreException):
    """The store is misconfigured for writing; `Store.add_disabled` says why."""


class MaxRedirectsExceeded(GlanceStoreException):
    """The server redirected too often."""


class NoServiceEndpoint(GlanceStoreException):
    """The service catalog has no fitting endpoint."""


class RegionAmbiguity(GlanceStoreException):
    """The service catalog has several fitting endpoints."""


class RemoteServiceUnavailable(GlanceStoreException):
    """The remote service does not answer; a retry may help."""


class HasSnapshot(GlanceStoreException):
    """The image has snapshots."""


class InUseByStore(GlanceStoreException):
    """The image is in use."""


class HostNotInitialized(GlanceStoreException):
    """The host is not set up for the backend's volumes."""


class TimeoutError(GlanceStoreException):
    """The time for the operation ran out."""


def take(error):
    """The exception for a `gs_error`, which is freed."""
    try:
        kind = globals().get(lib.gs_error_name(error).decode(), GlanceStoreException)
        return kind(lib.gs_error_message(error).decode(), lib.gs_error_status(error),
                    lib.gs_error_errno(error), lib.gs_error_http_status(error),
                    lib.gs_error_retryable(error))
    finally:
        lib.gs_error_free(error)
