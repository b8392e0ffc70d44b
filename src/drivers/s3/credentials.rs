//! The keys that requests are signed with, and where they come from.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// An access key, its secret key and, for temporary ones, the token of their session.
#[derive(Clone)]
pub struct Keys {
    pub access: Secret,
    pub secret: Secret,
    pub token: Option<Secret>,
}

impl Keys {
    /// Whether these open what those open.
    pub fn are(&self, others: &Keys) -> bool {
        let same = |ours: &Secret, theirs: &Secret| ours.expose() == theirs.expose();
        let has_same_token = match (&self.token, &others.token) {
            (Some(ours), Some(theirs)) => same(ours, theirs),
            (ours, theirs) => ours.is_none() && theirs.is_none(),
        };
        same(&self.access, &others.access) && same(&self.secret, &others.secret) && has_same_token
    }
}

/// The keys that requests are signed with, which are exchanged for newer ones when they have expired.
pub struct Credentials {
    now: Mutex<Keys>,
    source: KeySource,
}

impl Credentials {
    pub fn of(source: &KeySource) -> Result<Self> {
        Ok(Credentials { now: Mutex::new(source.keys()?), source: source.clone() })
    }

    pub fn now(&self) -> Keys {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks for other keys after a refusal of a request, of which `is_signed_by` tells whether some keys have
    /// signed it.  True: there are others, which another request may have found already.
    pub async fn renew(&self, is_signed_by: impl Fn(&Keys) -> bool) -> bool {
        if !matches!(self.source, KeySource::Profile { .. }) {
            return false;
        }
        if !is_signed_by(&self.now()) {
            return true;
        }
        let source = self.source.clone();
        let Ok(Ok(fresh)) = tokio::task::spawn_blocking(move || source.keys()).await else {
            return false;
        };
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let are_others = !fresh.are(&now) || !is_signed_by(&now);
        *now = fresh;
        are_others
    }
}

/// Where the keys of a store come from.
#[derive(Clone)]
pub enum KeySource {
    Given(Keys),
    /// A profile of a credentials file, which is read anew for every call, and when a server refuses what it
    /// held: others may renew it.
    Profile { path: PathBuf, name: String },
    /// The store has none, for that reason; those of a location may do.
    Missing(String),
}

impl KeySource {
    /// The keys that the environment holds, as every S3 client reads them.
    pub fn environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        match (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY")) {
            (Some(access), Some(secret)) => KeySource::Given(Keys {
                access: Secret::new(access),
                secret: Secret::new(secret),
                token: given("AWS_SESSION_TOKEN").map(Secret::new),
            }),
            _ => KeySource::Missing(
                "the environment does not have both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into(),
            ),
        }
    }

    pub fn keys(&self) -> Result<Keys> {
        match self {
            KeySource::Given(keys) => Ok(keys.clone()),
            KeySource::Profile { path, name } => {
                let refused = |reason: String| {
                    Error::new(Kind::BadConfig, format!("the credentials file {path:?} {reason}"))
                };
                let text = std::fs::read_to_string(path)
                    .map_err(|error| refused(format!("cannot be read: {error}")))?;
                profile(&Zeroizing::new(text), name).map_err(refused)
            }
            KeySource::Missing(reason) => Err(Error::new(Kind::BadConfig, reason.clone())),
        }
    }
}

/// The keys of one profile.
fn profile(text: &str, name: &str) -> std::result::Result<Keys, String> {
    let mut is_inside = false;
    let (mut is_there, mut access, mut secret, mut token) = (false, None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let section = section.trim();
            is_inside = section.strip_prefix("profile ").map_or(section, str::trim) == name;
            is_there |= is_inside;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_inside && !line.starts_with(['#', ';'])) else {
            continue;
        };
        let value = Some(value.trim()).filter(|value| !value.is_empty()).map(Secret::new);
        match key.trim() {
            "aws_access_key_id" => access = value,
            "aws_secret_access_key" => secret = value,
            "aws_session_token" => token = value,
            _ => {}
        }
    }
    match (is_there, access, secret) {
        (false, ..) => Err(format!("has no profile {name:?}")),
        (true, Some(access), Some(secret)) => Ok(Keys { access, secret, token }),
        (true, ..) => {
            Err(format!("lacks aws_access_key_id or aws_secret_access_key in its profile {name:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;
    use crate::transfer::Runtime;
    use std::sync::Arc;

    fn exposed(keys: &Keys) -> (&str, &str, Option<&str>) {
        (keys.access.expose(), keys.secret.expose(), keys.token.as_ref().map(Secret::expose))
    }

    #[test]
    fn a_profile_is_found_in_its_file() {
        let text = "# aws_access_key_id = no\n[default]\naws_access_key_id=A\naws_secret_access_key = S=/+\n\
                    region = x\n\n[ other ]\naws_access_key_id = B\n;aws_secret_access_key = no\n\
                    aws_secret_access_key = T\naws_session_token = tok\n[profile third]\r\n\
                    aws_access_key_id = C\r\naws_secret_access_key = U\r\n[half]\naws_access_key_id = D\n";
        for (name, keys) in [
            ("default", ("A", "S=/+", None)),
            ("other", ("B", "T", Some("tok"))),
            ("third", ("C", "U", None)),
        ] {
            assert_eq!(exposed(&profile(text, name).ok().unwrap()), keys);
        }
        assert!(profile(text, "none").err().unwrap().contains("no profile \"none\""));
        assert!(profile(text, "half").err().unwrap().contains("lacks"));
    }

    #[test]
    fn a_profile_is_read_anew_for_every_call() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let source = KeySource::Profile { path: path.clone(), name: "default".into() };
        assert!(source.keys().err().unwrap().message().contains("cannot be read"));
        for access in ["first", "second"] {
            let text = format!("[default]\naws_access_key_id={access}\naws_secret_access_key=s\n");
            std::fs::write(&path, text).unwrap();
            assert_eq!(exposed(&source.keys().unwrap()).0, access);
        }
        std::fs::write(&path, "[default]\naws_secret_access_key=hidden\n").unwrap();
        let error = source.keys().err().unwrap();
        assert_eq!(error.kind(), Kind::BadConfig);
        assert!(!error.message().contains("hidden"), "{error}");
    }

    #[test]
    fn the_environment_holds_both_keys_or_none() {
        let variables = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S"), ("AWS_SESSION_TOKEN", "t")];
        let find = |name: &str, among: &[(&str, &str)]| {
            among.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        let source = KeySource::environment(|name| find(name, &variables));
        assert_eq!(exposed(&source.keys().unwrap()), ("A", "S", Some("t")));
        let error = KeySource::environment(|name| find(name, &variables[..1])).keys().err().unwrap();
        assert!(error.message().contains("AWS_SECRET_ACCESS_KEY"), "{error}");
    }

    /// After a request that these keys have signed was refused.
    fn renewed(credentials: &Arc<Credentials>, signed_by: &Keys) -> bool {
        let (credentials, signed_by) = (credentials.clone(), signed_by.clone());
        let renew = async move { Ok(credentials.renew(|keys| keys.are(&signed_by)).await) };
        Runtime::shared().run(&Operation::default(), renew).unwrap()
    }

    #[test]
    fn keys_that_are_refused_are_exchanged_for_newer_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let write = |access: &str, token: &str| {
            let keys = format!("aws_access_key_id={access}\naws_secret_access_key=s\naws_session_token={token}");
            std::fs::write(&path, format!("[default]\n{keys}\n")).unwrap();
        };
        let source = KeySource::Profile { path: path.clone(), name: "default".into() };
        write("A", "1");
        let credentials = Arc::new(Credentials::of(&source).unwrap());
        assert!(!renewed(&credentials, &credentials.now()), "they are the same");
        for (access, token) in [("A", "2"), ("B", "2"), ("B", "")] {
            write(access, token);
            let refused = credentials.now();
            assert_ne!(exposed(&credentials.now()), (access, "s", Some(token).filter(|token| !token.is_empty())));
            assert!(renewed(&credentials, &refused), "{access} {token}");
            assert!(renewed(&credentials, &refused), "another request with the same keys");
            assert!(!renewed(&credentials, &credentials.now()), "{access} {token}");
            assert_eq!(exposed(&credentials.now()), (access, "s", Some(token).filter(|token| !token.is_empty())));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(!renewed(&credentials, &credentials.now()));
        assert_eq!(exposed(&credentials.now()).0, "B");
        let given = Arc::new(Credentials::of(&KeySource::Given(credentials.now())).unwrap());
        assert!(!renewed(&given, &given.now()));
    }
}
