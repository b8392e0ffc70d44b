//! What logging in gives.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::catalogue::{Catalogue, Service};
use crate::error::{Error, Kind, Result};
use crate::http::Url;
use crate::log::Log;

/// A token and what is known of it.
pub struct Grant {
    pub token: HeaderValue,
    /// When the token ends, where that is known.
    pub end: Option<Instant>,
    pub services: Services,
    /// Whose it is, where the service tells.
    pub holder: Holder,
}

/// Where the services are that a token is good for.
pub enum Services {
    Catalogue(Catalogue),
    /// The one that there is.
    Storage(Url),
}

/// Whose a token is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    pub user_id: String,
    /// The names of the roles in the project.
    pub roles: Vec<String>,
    /// By the clock of the service.
    pub issued_at: Option<OffsetDateTime>,
}

impl Grant {
    /// Whether the token will be good for `margin` from now.
    pub fn lasts(&self, margin: Duration) -> bool {
        let until = Instant::now().checked_add(margin);
        self.end.is_none_or(|end| until.is_some_and(|until| until < end))
    }

    pub fn endpoint(&self, wanted: &Service, log: &Log) -> Result<Url> {
        match &self.services {
            Services::Catalogue(catalogue) => catalogue.endpoint(wanted, log),
            Services::Storage(url) => Ok(url.clone()),
        }
    }
}

/// A secret as the value of a header: kept out of logs, wiped with its last copy.
pub fn secret_value(secret: &str) -> Result<HeaderValue> {
    let wiped = Bytes::from_owner(Zeroizing::new(secret.as_bytes().to_vec()));
    let mut value = HeaderValue::from_maybe_shared(wiped).map_err(|_| {
        let message = "the token, user or key holds characters that no header of HTTP can have";
        Error::new(Kind::NotAuthenticated, message)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lasts_until_a_margin_before_its_end() {
        let grant = |end| Grant {
            token: HeaderValue::from_static("t"),
            end,
            services: Services::Catalogue(Catalogue::default()),
            holder: Holder::default(),
        };
        let hour = Duration::from_secs(3600);
        let in_an_hour = grant(Instant::now().checked_add(hour));
        assert!(in_an_hour.lasts(Duration::ZERO));
        assert!(in_an_hour.lasts(hour - Duration::from_secs(60)));
        assert!(!in_an_hour.lasts(hour + Duration::from_secs(1)));
        assert!(!in_an_hour.lasts(Duration::MAX));
        assert!(!grant(Some(Instant::now())).lasts(Duration::ZERO));
        assert!(grant(None).lasts(Duration::MAX));
    }

    #[test]
    fn secrets_are_marked_and_must_fit_into_a_header() {
        let value = secret_value("gAAAA_-é").unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value.as_bytes(), "gAAAA_-é".as_bytes());
        for text in ["0123\n", "0123\0", "0123\u{7f}"] {
            let error = secret_value(text).unwrap_err();
            assert_eq!(error.kind(), Kind::NotAuthenticated);
            assert!(!error.message().contains("0123"), "{error}");
        }
    }
}
