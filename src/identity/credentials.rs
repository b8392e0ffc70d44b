//! Whom a token is for.

use crate::http::Url;
use crate::secret::Secret;

/// A domain of Keystone: where the names of users and projects mean somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    Id(String),
    Name(String),
}

/// A user with a password, in a project.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    pub user: String,
    pub user_domain: Domain,
    pub password: Secret,
    pub project: String,
    pub project_domain: Domain,
}

/// Credentials and the one address they are for.  No part can be had or changed alone, so what a location
/// or the configuration says of one service is never sent to another.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    address: Url,
    login: Login,
}

/// How to ask for a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Keystone { proof: Proof, scope: Scope },
    TempAuth { user: String, key: Secret },
}

/// What proves to Keystone who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Proof {
    Password {
        user: String,
        domain: Domain,
        password: Secret,
    },
    ApplicationCredential {
        id: Secret,
        secret: Secret,
    },
    /// A token, for one with another scope.
    Token(Secret),
}

/// What a token of Keystone is to be good for.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// What the proof says by itself.
    Implied,
    Project {
        name: String,
        domain: Domain,
    },
    ProjectId(String),
    Trust(String),
}

impl Identity {
    /// A user of the Keystone at `auth_url`.
    pub fn password(auth_url: &Url, password: Password) -> Self {
        let Password { user, user_domain, password, project, project_domain } = password;
        let proof = Proof::Password { user, domain: user_domain, password };
        let scope = Scope::Project { name: project, domain: project_domain };
        Identity { address: version_3(auth_url), login: Login::Keystone { proof, scope } }
    }

    /// What a user of the Keystone at `auth_url` has made for a program; the project comes with it.
    pub fn application_credential(auth_url: &Url, id: Secret, secret: Secret) -> Self {
        let proof = Proof::ApplicationCredential { id, secret };
        Identity { address: version_3(auth_url), login: Login::Keystone { proof, scope: Scope::Implied } }
    }

    /// A user of authentication version 1 at `auth_url`.
    pub fn tempauth(auth_url: &Url, user: String, key: Secret) -> Self {
        Identity { address: auth_url.clone(), login: Login::TempAuth { user, key } }
    }

    /// Whether the user can act on behalf of others by a trust.  Only Keystone has them, and it lets nobody
    /// log in to one with an application credential.
    pub(super) fn is_trustworthy(&self) -> bool {
        matches!(self.login, Login::Keystone { proof: Proof::Password { .. }, .. })
    }

    /// The same user on behalf of another, by a trust.
    pub(super) fn trusted(&self, trust_id: &str) -> Self {
        let mut trusted = self.clone();
        if let Login::Keystone { scope, .. } = &mut trusted.login {
            *scope = Scope::Trust(trust_id.to_owned());
        }
        trusted
    }

    /// The owner of a token of the same Keystone, in that project.
    pub(super) fn holder(&self, token: Secret, project_id: String) -> Self {
        let login = Login::Keystone { proof: Proof::Token(token), scope: Scope::ProjectId(project_id) };
        Identity { address: self.address.clone(), login }
    }

    /// With Keystone the root of its API, with a slash at the end.
    pub(super) fn address(&self) -> &Url {
        &self.address
    }

    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// What it is called in messages, which say nothing of what it holds.
    pub(super) fn name(&self) -> &'static str {
        match &self.login {
            Login::TempAuth { .. } => "the user and key",
            Login::Keystone { proof, .. } => match proof {
                Proof::Password { .. } => "the user, password, project and domains",
                Proof::ApplicationCredential { .. } => "the application credential",
                Proof::Token(_) => "the token of the user",
            },
        }
    }
}

/// The root of the API's version 3, wherever below it or above an address points: configurations and
/// locations have it with and without the version, and older ones have version 2.
fn version_3(auth_url: &Url) -> Url {
    let target = auth_url.request_target();
    let path = target.split('?').next().unwrap_or_default().trim_end_matches('/');
    let root = ["/v3", "/v2.0"].iter().find_map(|version| path.strip_suffix(version)).unwrap_or(path);
    auth_url.with_target(&format!("{root}/v3/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Scheme;

    fn url(text: &str) -> Url {
        let (scheme, rest) = text.split_once("://").unwrap();
        Url::parse(Scheme::named(scheme).unwrap(), rest).unwrap()
    }

    #[test]
    fn addresses_lead_to_version_3() {
        for (text, address) in [
            ("http://h", "http://h/v3/"),
            ("http://h/", "http://h/v3/"),
            ("http://h:5000/v3", "http://h:5000/v3/"),
            ("http://h:5000/v3/", "http://h:5000/v3/"),
            ("https://h/identity", "https://h/identity/v3/"),
            ("https://h/identity/v3//", "https://h/identity/v3/"),
            ("http://h:5000/v2.0/", "http://h:5000/v3/"),
            ("http://h/a%20b", "http://h/a%20b/v3/"),
            ("http://h/x?y=/v3", "http://h/x/v3/"),
            ("http://[::1]:5000", "http://[::1]:5000/v3/"),
            ("http://h/dev3", "http://h/dev3/v3/"),
        ] {
            let identity = Identity::application_credential(&url(text), Secret::new("id"), Secret::new("s"));
            assert_eq!(identity.address().to_uri(), address, "{text}");
        }
        let account = Identity::tempauth(&url("http://h/auth/v1.0"), "u".into(), Secret::new("k"));
        assert_eq!(account.address().to_uri(), "http://h/auth/v1.0");
    }

    #[test]
    fn identities_are_equal_only_in_all_their_parts() {
        let password = || Password {
            user: "user".into(),
            user_domain: Domain::Id("default".into()),
            password: Secret::new("secret"),
            project: "project".into(),
            project_domain: Domain::Id("default".into()),
        };
        let identity = |password| Identity::password(&url("http://h/v3"), password);
        let same = identity(password());
        let others = [
            identity(Password { user: "other".into(), ..password() }),
            identity(Password { user_domain: Domain::Name("default".into()), ..password() }),
            identity(Password { password: Secret::new("other"), ..password() }),
            identity(Password { project: "other".into(), ..password() }),
            identity(Password { project_domain: Domain::Id("other".into()), ..password() }),
            Identity::password(&url("https://h/v3"), password()),
            Identity::password(&url("http://h:81/v3"), password()),
            same.trusted("trust"),
            same.holder(Secret::new("secret"), "project".into()),
        ];
        assert!(same == Identity::password(&url("http://h"), password()));
        assert!(others.iter().all(|other| same != *other));
    }
}
