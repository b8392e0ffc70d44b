//! The accounts that a configuration names: one in the options, or any number in a file of their own.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::account::{Account, Address, AuthVersion, Credentials, usual_domain};
use super::ini::{self, Section};
use super::options;
use crate::config::Options;
use crate::error::{Error, Kind, Result};
use crate::identity::Domain;
use crate::log::{Level, Log};
use crate::secret::Secret;

/// The largest file that is read: far above any list of accounts.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where a file is looked for that is not found as it was written.
const DIRECTORIES: &[&str] = &["/etc/glance", "/etc"];

/// The accounts of one store, by the names that locations give.
pub struct References {
    accounts: Vec<(String, Account)>,
    /// The one that new images go to.
    default: String,
    /// Whether they come from a file: new locations name them then.
    from_file: bool,
}

impl References {
    pub fn load(options: &Options, log: &Log) -> Result<Self> {
        let default = options.str(options::DEFAULT_REFERENCE).unwrap_or_default().to_owned();
        let Some(path) = options.str(options::CONFIG_FILE) else {
            let account = in_options(options);
            let accounts = account.map(|account| (default.clone(), account)).into_iter().collect();
            return Ok(References { accounts, default, from_file: false });
        };
        let sections = read(path).map_err(|reason| options.bad(options::CONFIG_FILE, reason))?;
        let version = options::auth_version(options);
        let mut accounts = Vec::new();
        for section in sections {
            match check_reference(&section.name).and_then(|()| in_section(&section, version)) {
                Ok(account) => accounts.push((section.name, account)),
                Err(reason) => {
                    log.write(
                        Level::Warn,
                        "swift",
                        format_args!("{path}: the account [{}] is left out: {reason}", section.name),
                    );
                }
            }
        }
        Ok(References { accounts, default, from_file: true })
    }

    /// The account that a location names.
    pub fn named(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|(known, _)| known == name).map(|(_, account)| account)
    }

    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// The account that new images go to.
    pub fn default_account(&self) -> Option<&Account> {
        self.named(&self.default)
    }

    pub fn are_from_file(&self) -> bool {
        self.from_file
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(|(_, account)| account)
    }

    /// Why there is no account for new images.
    pub fn missing_default(&self) -> Error {
        let reason = match self.from_file {
            true => format!(
                "{} has no usable account [{}], which {} names",
                options::CONFIG_FILE,
                self.default,
                options::DEFAULT_REFERENCE
            ),
            false => format!(
                "there are no credentials: set {}, or {} with {} and {}",
                options::CONFIG_FILE,
                options::AUTH_ADDRESS,
                options::USER,
                options::KEY
            ),
        };
        Error::new(Kind::BadConfig, reason)
    }
}

/// Refuses names that a location could not give back.
fn check_reference(name: &str) -> std::result::Result<(), String> {
    match name.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c)) {
        true => Err("no location can name it: its name has a blank or one of / ? # @".to_owned()),
        false => Ok(()),
    }
}

fn in_options(options: &Options) -> Option<Account> {
    let set = |name| options.str(name).filter(|text| !text.is_empty());
    let address = Address::configured(set(options::AUTH_ADDRESS)?);
    let application = set(options::APPLICATION_ID).zip(set(options::APPLICATION_SECRET));
    let password = set(options::USER).zip(set(options::KEY));
    let credentials = match (application, password) {
        (Some((id, secret)), _) => {
            Credentials::Application { id: Secret::new(id), secret: Secret::new(secret) }
        }
        (None, Some((user, key))) => Credentials::Password { user: user.to_owned(), key: Secret::new(key) },
        (None, None) => return None,
    };
    Some(Account::plain(address, options::auth_version(options), credentials))
}

fn in_section(section: &Section, version: AuthVersion) -> std::result::Result<Account, String> {
    let value = |key: &str| -> std::result::Result<Option<Secret>, String> {
        let value = section.value(key).map_err(|reason| format!("{key} {reason}"))?;
        let unquoted = value.map(|value| unquoted(value.expose()).map(Secret::new));
        unquoted.transpose().map_err(|reason| format!("{key} {reason}"))
    };
    let text = |key: &str| value(key).map(|value| value.map(|value| value.expose().to_owned()));
    let needed = |found: Option<Secret>, key: &str| found.ok_or_else(|| format!("{key} is not set"));

    let address = needed(value("auth_address")?, "auth_address")?;
    let application =
        value("application_credential_id")?.zip(value("application_credential_secret")?);
    let credentials = match application {
        Some((id, secret)) => Credentials::Application { id, secret },
        None => Credentials::Password {
            user: needed(value("user")?, "user")?.expose().to_owned(),
            key: needed(value("key")?, "key")?,
        },
    };
    let version = text("auth_version")?.map_or(version, |word| options::version_of(&word));
    Ok(Account {
        address: Address::configured(address.expose()),
        version,
        credentials,
        user_domain: domain(text("user_domain_id")?, text("user_domain_name")?),
        project_domain: domain(text("project_domain_id")?, text("project_domain_name")?),
    })
}

/// The id decides; what has neither is in the usual domain.
fn domain(id: Option<String>, name: Option<String>) -> Domain {
    id.map(Domain::Id).or(name.map(Domain::Name)).unwrap_or_else(usual_domain)
}

/// A value that begins with a quote must end with the same, and loses both.
fn unquoted(value: &str) -> std::result::Result<&str, String> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return Ok(value);
    };
    let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner.ok_or_else(|| format!("begins with a {quote} that does not end it"))
}

fn read(path: &str) -> std::result::Result<Vec<Section>, String> {
    let found = find(path);
    let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
    let file = File::open(&found).map_err(unreadable)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file has more than {MAX_FILE_BYTES} bytes"));
    }
    let text = str::from_utf8(&bytes).map_err(|_| "the file is not UTF-8 text".to_owned())?;
    ini::parse(text).map_err(|error| format!("line {} of the file {}", error.line, error.reason))
}

fn find(path: &str) -> PathBuf {
    let written = PathBuf::from(path);
    if path.is_empty() || written.exists() {
        return written;
    }
    let mut elsewhere = DIRECTORIES.iter().map(|directory| Path::new(directory).join(path));
    elsewhere.find(|candidate| candidate.exists()).unwrap_or(written)
}

#[cfg(test)]
mod tests;
