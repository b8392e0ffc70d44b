//! Who a store acts as, and where that is known: credentials never leave the address they are for.

use crate::error::{Error, Kind, Result};
use crate::http::{Scheme, Url};
use crate::identity::{Domain, Identity, Password};
use crate::secret::{Secret, redact_uri};

/// Where tokens are to be had: what follows `http://` or `https://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    /// Host, port and path, with no slash at either end.
    pub text: String,
}

impl Address {
    /// As a configuration has it: without a scheme it is https.
    pub fn configured(text: &str) -> Self {
        let after = |scheme: &str| {
            let begins = text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
            begins.then(|| &text[scheme.len()..])
        };
        match (after("http://"), after("https://")) {
            (Some(rest), _) => Address::new(Scheme::Http, rest),
            (None, Some(rest)) => Address::new(Scheme::Https, rest),
            (None, None) => Address::new(Scheme::Https, text),
        }
    }

    pub fn new(scheme: Scheme, text: &str) -> Self {
        Address { scheme, text: text.trim_matches('/').to_owned() }
    }

    /// The address as a URL without user information: an `@` in it is no part of a host.
    pub fn url(&self) -> std::result::Result<Url, &'static str> {
        let host = self.text.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            return Err("it has an \"@\" in its host");
        }
        Url::parse(self.scheme, &self.text)
    }
}

/// How tokens are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthVersion {
    /// The server's own: TempAuth, radosgw.
    V1,
    /// Keystone.
    V3,
}

/// What proves who asks.
#[derive(Clone)]
pub enum Credentials {
    /// For Keystone the user is `project:user`.
    Password { user: String, key: Secret },
    Application { id: Secret, secret: Secret },
}

/// The domain of what is named without one.
pub fn usual_domain() -> Domain {
    Domain::Id("default".to_owned())
}

/// An account with an object store.
#[derive(Clone)]
pub struct Account {
    pub address: Address,
    pub version: AuthVersion,
    pub credentials: Credentials,
    pub user_domain: Domain,
    pub project_domain: Domain,
}

impl Account {
    /// Of options, which name no domains.
    pub fn plain(address: Address, version: AuthVersion, credentials: Credentials) -> Self {
        let (user_domain, project_domain) = (usual_domain(), usual_domain());
        Account { address, version, credentials, user_domain, project_domain }
    }

    /// What tokens are asked for with, bound to where.
    pub fn identity(&self) -> Result<Identity> {
        let Account { address, version, credentials, .. } = self;
        let bad = |reason: &str| {
            let shown = redact_uri(&address.text);
            Error::new(Kind::BadUri, format!("the swift account at {shown:?} cannot be used: {reason}"))
        };
        let url = address.url().map_err(bad)?;
        match (version, credentials) {
            (AuthVersion::V1, Credentials::Password { user, key }) => {
                Ok(Identity::tempauth(&url, user.clone(), key.clone()))
            }
            (AuthVersion::V1, Credentials::Application { .. }) => {
                Err(bad("application credentials are Keystone's, not of authentication version 1"))
            }
            (AuthVersion::V3, Credentials::Application { id, secret }) => {
                Ok(Identity::application_credential(&url, id.clone(), secret.clone()))
            }
            (AuthVersion::V3, Credentials::Password { user, key }) => {
                let (project, user) = project_and_user(user)
                    .ok_or_else(|| bad("its user must be project:user, with one colon in between"))?;
                let password = Password {
                    user: user.to_owned(),
                    user_domain: self.user_domain.clone(),
                    password: key.clone(),
                    project: project.to_owned(),
                    project_domain: self.project_domain.clone(),
                };
                Ok(Identity::password(&url, password))
            }
        }
    }

    /// User and key, for locations that carry them.
    pub fn login(&self) -> Option<(&str, &Secret)> {
        match &self.credentials {
            Credentials::Password { user, key } => Some((user, key)),
            Credentials::Application { .. } => None,
        }
    }
}

/// The project and the user of a `project:user` text.
fn project_and_user(user: &str) -> Option<(&str, &str)> {
    let parts = user.split_once(':').filter(|(_, user)| !user.contains(':'));
    parts.filter(|(project, user)| !project.is_empty() && !user.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused_without_it() {
        let credentials = Credentials::Password { user: "p:u".into(), key: Secret::new("k") };
        let address = Address::configured("user:pa55word@127.0.0.1/v3");
        let error = Account::plain(address, AuthVersion::V3, credentials).identity().err().unwrap();
        assert!(error.message().contains("127.0.0.1/v3"), "{error}");
        assert!(!error.message().contains("pa55word"), "{error}");
    }

    #[test]
    fn addresses_are_https_unless_they_say_http() {
        for (written, url) in [
            ("example.com", "https://example.com"),
            ("http://example.com", "http://example.com"),
            ("HTTP://Example.com:8080/v3/", "http://Example.com:8080/v3"),
            ("https://localhost/v1", "https://localhost/v1"),
            ("httpd.example.com", "https://httpd.example.com"),
            ("[::1]:5000/v3", "https://[::1]:5000/v3"),
        ] {
            assert_eq!(Address::configured(written).url().unwrap().to_uri(), url, "{written}");
        }
        for written in ["", "http://", "a b", "u:p@host", "h:port"] {
            assert!(Address::configured(written).url().is_err(), "{written}");
        }
    }

    #[test]
    fn a_user_is_of_one_project() {
        let account = |version, user: &str| {
            let credentials = Credentials::Password { user: user.to_owned(), key: Secret::new("secret") };
            Account::plain(Address::configured("h"), version, credentials)
        };
        assert!(account(AuthVersion::V3, "tenant:user1").identity().is_ok());
        for user in ["", "a", "a:b:c", ":b", "a:"] {
            let error = account(AuthVersion::V3, user).identity().err().unwrap();
            assert_eq!(error.kind(), Kind::BadUri, "{user}");
            assert!(!error.message().contains("secret"), "{error}");
            assert!(account(AuthVersion::V1, user).identity().is_ok(), "version 1 takes {user:?} as it is");
        }
    }
}
