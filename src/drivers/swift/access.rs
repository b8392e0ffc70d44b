//! From a location to the storage that it is in, with whatever right leads there.
//!
//! Credentials of the configuration go to its own addresses and to where their catalogue leads; those of a
//! location to that location's address; a user's token to the services of the user's catalogue.

use std::sync::Arc;
use std::time::Duration;

use super::account::{Account, Address, AuthVersion, Credentials, usual_domain};
use super::location::Via;
use super::options;
use super::references::References;
use super::storage::Storage;
use super::traced::traced;
use crate::config::Options;
use crate::error::{Error, Kind, Result};
use crate::http::{Authorizer, Client, Scheme, Target, Url};
use crate::identity::{Catalogue, Delegation, Interface, Service, Session, Sessions, UserToken};
use crate::operation::{Context, Operation};
use crate::secret::redact_uri;
use crate::transfer::Runtime;

/// A client, and the tokens that were had with it.
struct Link {
    client: Arc<Client>,
    sessions: Sessions,
}

pub struct Access {
    runtime: Arc<Runtime>,
    references: References,
    /// To what the configuration names.
    own: Link,
    /// To what only locations name.
    guarded: Link,
    service: Service,
    /// The storage URL that is used whatever catalogues say.
    endpoint: Option<Url>,
    version: AuthVersion,
    is_multi_tenant: bool,
    /// Whether locations may lead to hosts that are named in the options.
    has_allowed_hosts: bool,
    /// Whether a trust is made for what may outlive a user's token.
    uses_trusts: bool,
}

/// How long the end of an operation waits for that of its trust.
const TRUST_END: Duration = Duration::from_secs(5);

/// How long an operation may go on, as far as a user's token matters.
#[derive(Clone, Copy, PartialEq)]
pub enum Span {
    Short,
    Long,
}

/// Storage for one operation.
pub struct Granted {
    pub storage: Storage,
    pub trust: Option<Trust>,
}

/// A user's trust, which ends with the operation that it was made for.
pub struct Trust {
    runtime: Arc<Runtime>,
    delegation: Option<Delegation>,
}

impl Drop for Trust {
    fn drop(&mut self) {
        if let Some(delegation) = self.delegation.take() {
            let end = async move {
                delegation.end().await;
                Ok(())
            };
            // What Keystone does not do in this time is done in the background; whether it works is logged.
            let _ = self.runtime.run(&Operation::default().within(TRUST_END), end);
        }
    }
}

impl Access {
    pub fn new(
        options: &Options,
        runtime: Arc<Runtime>,
        references: References,
        own: Client,
        guarded: Client,
    ) -> Result<Self> {
        let margin = options::expire_soon(options);
        let link = |client: Client| {
            let client = Arc::new(client);
            Link { sessions: Sessions::new(client.clone(), margin), client }
        };
        let endpoint = options.str(options::ENDPOINT).filter(|text| !text.is_empty());
        let endpoint = endpoint.map(Address::configured).map(|address| address.url()).transpose();
        Ok(Access {
            runtime,
            references,
            own: link(own),
            guarded: link(guarded),
            service: service(options),
            endpoint: endpoint.map_err(|reason| options.bad(options::ENDPOINT, reason))?,
            version: options::auth_version(options),
            is_multi_tenant: options.bool(options::MULTI_TENANT),
            has_allowed_hosts: !options.list(options::ALLOWED_HOSTS).is_empty(),
            uses_trusts: options.bool(options::USE_TRUSTS),
        })
    }

    pub fn references(&self) -> &References {
        &self.references
    }

    pub fn is_multi_tenant(&self) -> bool {
        self.is_multi_tenant
    }

    /// The storage that a location leads to.
    pub fn reach(&self, op: &Operation, via: &Via, span: Span) -> Result<Granted> {
        match via {
            Via::Address(address) if self.is_multi_tenant => {
                let url = address.url().map_err(bad_address)?;
                let link = self.link_for_token(op.context(), &url)?;
                self.for_user(op, link, url, span)
            }
            _ => {
                let (account, link) = self.account_of(via)?;
                self.log_in(op, &account, link)
            }
        }
    }

    /// The storage that new images of a single tenant go to.
    pub fn default_storage(&self, op: &Operation) -> Result<Granted> {
        let account = self.references.default_account().ok_or_else(|| self.references.missing_default())?;
        self.log_in(op, account, &self.own)
    }

    /// The storage that new images of the calling tenant go to, and its URL.
    pub fn tenant_storage(&self, op: &Operation, span: Span) -> Result<(Granted, Url)> {
        let context = op.context();
        let url = match (&self.endpoint, &context.service_catalog_json) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(json)) => Catalogue::parse(json)?.endpoint(&self.service, self.own.client.log())?,
            (None, None) => return Err(needs_context("a service catalogue")),
        };
        Ok((self.for_user(op, &self.own, url.clone(), span)?, url))
    }

    /// How much of a location's beginning is this store's own: credentials of their own lead everywhere.
    pub fn claims(&self, via: &Via, uri: &str, is_usual_container: bool) -> Option<usize> {
        let is_default = match via {
            Via::Reference(name) => {
                self.references.named(name)?;
                name == self.references.default_name()
            }
            Via::Credentials { address, user, .. } => {
                let is_same = |account: &Account| {
                    leads_to(account, address) && account.login().is_some_and(|(known, _)| known == user)
                };
                self.references.default_account().is_some_and(is_same)
            }
            Via::Address(_) if self.is_multi_tenant => true,
            Via::Address(address) => {
                self.references.accounts().find(|account| leads_to(account, address))?;
                true
            }
        };
        let own = uri.rfind('/').filter(|_| is_default && is_usual_container);
        Some(own.unwrap_or_default())
    }

    fn log_in(&self, op: &Operation, account: &Account, link: &Link) -> Result<Granted> {
        let session = link.sessions.of(&account.identity()?);
        let root = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => {
                let (asking, service) = (session.clone(), self.service.clone());
                self.runtime.run(op, async move { asking.endpoint(&service).await })?
            }
        };
        let root = Target { url: root, authorizer: Some(traced(session, op.context())?) };
        Ok(Granted { storage: Storage::new(link.client.clone(), root), trust: None })
    }

    fn for_user(&self, op: &Operation, link: &Link, url: Url, span: Span) -> Result<Granted> {
        if op.context().auth_token.is_none() {
            return Err(needs_context("a user's token"));
        }
        let trust = match span {
            Span::Long if self.uses_trusts => self.entrust(op)?,
            _ => None,
        };
        let authorizer: Arc<dyn Authorizer> = match trust.as_ref().and_then(|trust| trust.delegation.as_ref()) {
            Some(delegation) => delegation.authorizer(),
            None => Arc::new(UserToken::of(op.context())?),
        };
        let root = Target { url, authorizer: Some(traced(authorizer, op.context())?) };
        Ok(Granted { storage: Storage::new(link.client.clone(), root), trust })
    }

    /// None: there is no service user that could be trusted.
    fn entrust(&self, op: &Operation) -> Result<Option<Trust>> {
        let Some(Ok(identity)) = self.references.default_account().map(Account::identity) else {
            return Ok(None);
        };
        let (session, context): (Arc<Session>, Arc<Context>) = (self.own.sessions.of(&identity), op.context().clone());
        let delegation = self.runtime.run(op, async move { Delegation::begin(&session, &context).await })?;
        Ok(Some(Trust { runtime: self.runtime.clone(), delegation: Some(delegation) }))
    }

    /// The account that a location means, and how its address may be reached.
    fn account_of(&self, via: &Via) -> Result<(Account, &Link)> {
        match via {
            Via::Reference(name) => match self.references.named(name) {
                Some(account) => Ok((account.clone(), &self.own)),
                None => Err(unknown_reference(name)),
            },
            Via::Credentials { address, user, key } => {
                let credentials = Credentials::Password { user: user.clone(), key: key.clone() };
                Ok(self.account_with(address, credentials))
            }
            Via::Address(address) => {
                let known = self.references.default_account().into_iter().chain(self.references.accounts());
                let mut there = known.filter(|account| leads_to(account, address));
                match there.next() {
                    Some(account) => Ok((account.clone(), &self.own)),
                    None => Err(foreign_address(address)),
                }
            }
        }
    }

    /// Who has these credentials of a location.  It names no domains: those of the configured account of the
    /// same user or, as in glance_store, of the default account are meant.
    fn account_with(&self, address: &Address, credentials: Credentials) -> (Account, &Link) {
        let user = |credentials: &Credentials| match credentials {
            Credentials::Password { user, .. } => Some(user.clone()),
            Credentials::Application { .. } => None,
        };
        let mut there = self.references.accounts().filter(|account| leads_to(account, address)).peekable();
        let link = if there.peek().is_some() { &self.own } else { &self.guarded };
        let same = there.find(|account| user(&account.credentials) == user(&credentials));
        let model = same.or(self.references.default_account());
        let account = Account {
            address: address.clone(),
            version: same.map_or(self.version, |account| account.version),
            credentials,
            user_domain: model.map_or_else(usual_domain, |account| account.user_domain.clone()),
            project_domain: model.map_or_else(usual_domain, |account| account.project_domain.clone()),
        };
        (account, link)
    }

    /// How a user's token may get to that storage: it is shown to the services of the user's own catalogue,
    /// to the configured endpoint and to hosts that the options allow.
    fn link_for_token(&self, context: &Context, url: &Url) -> Result<&Link> {
        if context.auth_token.is_none() {
            return Err(needs_context("a user's token"));
        }
        if self.endpoint.as_ref().is_some_and(|endpoint| endpoint.origin() == url.origin()) {
            return Ok(&self.own);
        }
        if let Some(json) = &context.service_catalog_json
            && Catalogue::parse(json)?.leads_to(&self.service.kind, url.origin())
        {
            return Ok(&self.own);
        }
        if self.has_allowed_hosts {
            return Ok(&self.guarded);
        }
        let (kind, option) = (&self.service.kind, options::ALLOWED_HOSTS);
        let message = format!(
            "the location's storage {url} is no {kind} of the user's service catalogue: the user's token goes there only if {option} has its host"
        );
        Err(Error::new(Kind::Forbidden, message))
    }
}

fn service(options: &Options) -> Service {
    let interface = options.str(options::ENDPOINT_TYPE).and_then(Interface::named);
    Service {
        kind: options.str(options::SERVICE_TYPE).unwrap_or_default().to_owned(),
        interface: interface.unwrap_or(Interface::Public),
        region: options.str(options::REGION).filter(|region| !region.is_empty()).map(str::to_owned),
    }
}

/// Whether tokens of an account are had at that address.
fn leads_to(account: &Account, address: &Address) -> bool {
    match (account.address.url(), address.url()) {
        (Ok(known), Ok(other)) => known.origin() == other.origin() && path_of(&known) == path_of(&other),
        _ => false,
    }
}

/// Without what may be left out.
fn path_of(url: &Url) -> String {
    let path = url.request_target();
    let path = path.trim_end_matches('/');
    ["/v3", "/v2.0"].iter().find_map(|version| path.strip_suffix(version)).unwrap_or(path).to_owned()
}

fn bad_address(reason: &'static str) -> Error {
    Error::new(Kind::BadUri, format!("the location's address cannot be used: {reason}"))
}

pub fn unknown_reference(name: &str) -> Error {
    let message = format!("there is no usable account {name:?}: see {} and its log", options::CONFIG_FILE);
    Error::new(Kind::BadUri, message)
}

fn foreign_address(address: &Address) -> Error {
    let scheme = match address.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let message = format!(
        "the location has no credentials, and its address {scheme}://{} is none of the configured accounts': theirs do not go there",
        redact_uri(&address.text)
    );
    Error::new(Kind::Forbidden, message)
}

fn needs_context(what: &str) -> Error {
    let message = format!("with {} the call needs {what} in its context (gs_opts.context)", options::MULTI_TENANT);
    Error::new(Kind::BadConfig, message)
}

#[cfg(test)]
mod tests;
