//! The one error type of the crate.
//!
//! Every kind maps to one `gs_status` number and one exception name of glance_store; both are frozen
//! by the table below and its test.  Messages are one line that names the thing, its value and what
//! to do; secrets are removed once more where errors leave the library.

use std::any::Any;
use std::fmt;
use std::io;

/// What went wrong, as far as a program can act on it.  The numbers are `gs_status` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    Failed = 1,
    Invalid = 2,
    Bug = 3,
    Cancelled = 4,
    Timeout = 5,
    Callback = 6,
    Forked = 7,
    NotFound = 10,
    Duplicate = 11,
    StorageFull = 12,
    WriteDenied = 13,
    Forbidden = 14,
    NotAuthenticated = 15,
    InUse = 16,
    UnknownScheme = 20,
    BadUri = 21,
    UnknownStore = 22,
    BadConfig = 23,
    DriverUnavailable = 24,
    UnknownHash = 25,
    NotSupported = 26,
    AddDisabled = 27,
    Unavailable = 30,
    TooManyRedirects = 31,
    NoEndpoint = 32,
    SizeMismatch = 40,
    VerifyFailed = 41,
}

impl Kind {
    /// The exception that glance_store raises for this kind.  Where several of its exceptions share
    /// one kind, the error itself carries the exact name.
    pub fn exception(self) -> &'static str {
        match self {
            Kind::Failed | Kind::Bug | Kind::Callback | Kind::Forked => "BackendException",
            Kind::Cancelled | Kind::NotSupported => "GlanceStoreException",
            Kind::Invalid | Kind::SizeMismatch | Kind::VerifyFailed => "Invalid",
            Kind::Timeout => "TimeoutError",
            Kind::NotFound => "NotFound",
            Kind::Duplicate => "Duplicate",
            Kind::StorageFull => "StorageFull",
            Kind::WriteDenied => "StorageWriteDenied",
            Kind::Forbidden => "Forbidden",
            Kind::NotAuthenticated => "NotAuthenticated",
            Kind::InUse => "InUseByStore",
            Kind::UnknownScheme | Kind::UnknownStore => "UnknownScheme",
            Kind::BadUri => "BadStoreUri",
            Kind::BadConfig => "BadStoreConfiguration",
            Kind::DriverUnavailable => "DriverLoadFailure",
            Kind::UnknownHash => "UnknownHashingAlgo",

            Kind::AddDisabled => "StoreAddDisabled",
            Kind::Unavailable => "RemoteServiceUnavailable",
            Kind::TooManyRedirects => "MaxRedirectsExceeded",
            Kind::NoEndpoint => "NoServiceEndpoint",
        }
    }

    /// Whether the same call may succeed later with nothing changed by the caller.
    fn retryable(self) -> bool {
        matches!(self, Kind::Unavailable | Kind::Timeout)
    }
}

/// Why an operation failed.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    exception: &'static str,
    message: String,
    errno: i32,
    http_status: u16,
    retryable: bool,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            exception: kind.exception(),
            message: message.into(),
            errno: 0,
            http_status: 0,
            retryable: kind.retryable(),
        }
    }

    /// An error of the operating system: `what` says which action on which thing failed.
    pub fn from_os(kind: Kind, what: impl fmt::Display, source: &io::Error) -> Self {
        let mut error = Error::new(kind, format!("{what}: {source}"));
        error.errno = source.raw_os_error().unwrap_or(0);
        error
    }

    /// A defect of this library, caught where it panicked.
    pub fn from_panic(panic: &(dyn Any + Send)) -> Self {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Error::new(Kind::Bug, format!("internal error, please report it: {said}"))
    }

    pub fn with_errno(mut self, errno: i32) -> Self {
        self.errno = errno;
        self
    }

    pub fn with_http_status(mut self, status: u16) -> Self {
        self.http_status = status;
        self
    }

    /// Names the exact exception of glance_store where the kind's own is too coarse.
    pub fn with_exception(mut self, exception: &'static str) -> Self {
        self.exception = exception;
        self
    }

    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Puts what was being done in front of the message.
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn exception(&self) -> &'static str {
        self.exception
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The operating system's error number, 0 for none.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// The HTTP status that the backend answered, 0 for none.
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
