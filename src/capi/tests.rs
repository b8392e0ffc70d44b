use super::error::*;
use crate::capabilities::Capabilities;
use crate::error::Kind;
use crate::log::Level;

/// The numbers are part of the ABI and frozen; the names are those that bindings raise.
const STATUSES: &[(gs_status, i32, Kind, &str)] = &[
    (GS_FAILED, 1, Kind::Failed, "BackendException"),
    (GS_INVALID, 2, Kind::Invalid, "Invalid"),
    (GS_BUG, 3, Kind::Bug, "BackendException"),
    (GS_CANCELLED, 4, Kind::Cancelled, "GlanceStoreException"),
    (GS_TIMEOUT, 5, Kind::Timeout, "TimeoutError"),
    (GS_CALLBACK, 6, Kind::Callback, "BackendException"),
    (GS_FORKED, 7, Kind::Forked, "BackendException"),
    (GS_NOT_FOUND, 10, Kind::NotFound, "NotFound"),
    (GS_DUPLICATE, 11, Kind::Duplicate, "Duplicate"),
    (GS_STORAGE_FULL, 12, Kind::StorageFull, "StorageFull"),
    (GS_WRITE_DENIED, 13, Kind::WriteDenied, "StorageWriteDenied"),
    (GS_FORBIDDEN, 14, Kind::Forbidden, "Forbidden"),
    (GS_NOT_AUTHENTICATED, 15, Kind::NotAuthenticated, "NotAuthenticated"),
    (GS_IN_USE, 16, Kind::InUse, "InUseByStore"),
    (GS_UNKNOWN_SCHEME, 20, Kind::UnknownScheme, "UnknownScheme"),
    (GS_BAD_URI, 21, Kind::BadUri, "BadStoreUri"),
    (GS_UNKNOWN_STORE, 22, Kind::UnknownStore, "UnknownScheme"),
    (GS_BAD_CONFIG, 23, Kind::BadConfig, "BadStoreConfiguration"),
    (GS_DRIVER_UNAVAILABLE, 24, Kind::DriverUnavailable, "DriverLoadFailure"),
    (GS_UNKNOWN_HASH, 25, Kind::UnknownHash, "UnknownHashingAlgo"),
    (GS_NOT_SUPPORTED, 26, Kind::NotSupported, "GlanceStoreException"),
    (GS_ADD_DISABLED, 27, Kind::AddDisabled, "StoreAddDisabled"),
    (GS_UNAVAILABLE, 30, Kind::Unavailable, "RemoteServiceUnavailable"),
    (GS_TOO_MANY_REDIRECTS, 31, Kind::TooManyRedirects, "MaxRedirectsExceeded"),
    (GS_NO_ENDPOINT, 32, Kind::NoEndpoint, "NoServiceEndpoint"),
    (GS_SIZE_MISMATCH, 40, Kind::SizeMismatch, "Invalid"),
    (GS_VERIFY_FAILED, 41, Kind::VerifyFailed, "Invalid"),
];

#[test]
fn every_status_has_its_frozen_number_kind_and_exception() {
    for (status, number, kind, exception) in STATUSES {
        assert_eq!((*status, *kind as i32, kind.exception()), (*number, *number, *exception));
    }
}

#[test]
fn capability_and_log_constants_are_those_of_the_core() {
    use super::{config::*, store::*};
    for (bits, capability) in [
        (GS_CAN_READ, Capabilities::READ),
        (GS_CAN_READ_OFFSET, Capabilities::READ_OFFSET),
        (GS_CAN_READ_CHUNK, Capabilities::READ_CHUNK),
        (GS_CAN_READ_RANDOM, Capabilities::READ_RANDOM),
        (GS_CAN_WRITE, Capabilities::WRITE),
        (GS_CAN_WRITE_OFFSET, Capabilities::WRITE_OFFSET),
        (GS_CAN_WRITE_CHUNK, Capabilities::WRITE_CHUNK),
        (GS_CAN_WRITE_RANDOM, Capabilities::WRITE_RANDOM),
        (GS_DRIVER_REUSABLE, Capabilities::DRIVER_REUSABLE),
    ] {
        assert_eq!(bits, capability.bits());
    }
    let levels = [GS_LOG_ERROR, GS_LOG_WARN, GS_LOG_INFO, GS_LOG_DEBUG, GS_LOG_TRACE];
    assert_eq!(
        levels,
        [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace].map(|l| l as i32)
    );
}

/// A panic inside a call is an error of the call; the process goes on.
#[test]
fn no_panic_crosses_the_boundary() {
    let mut error = std::ptr::null_mut();
    // SAFETY: a place for the error, and an error of that very call.
    unsafe {
        assert_eq!(super::boundary::fallible(&mut error, || panic!("a defect")), GS_BUG);
        let message = std::ffi::CStr::from_ptr(gs_error_message(error)).to_str().unwrap();
        assert!(message.contains("a defect"), "{message}");
        gs_error_free(error);
    }
    assert_eq!(super::boundary::infallible(7, || panic!("another")), 7);
}
