//! A token that all operations of one identity share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::HeaderName;

use super::catalogue::Service;
use super::credentials::{Identity, Login};
use super::grant::Grant;
use super::kept::Kept;
use super::{keystone, tempauth};
use crate::error::Result;
use crate::http::{Authorizer, BoxFuture, Client, Request, Response, Url};
use crate::log::Level;

/// The header that services are shown a token in.
pub const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A token with less time left may end on its way to the service.
const LAST_MOMENTS: Duration = Duration::from_secs(5);

/// How many identities one store keeps tokens for; a store has one of its own, but locations bring theirs.
const MAX_SESSIONS: usize = 64;

/// The sessions of one store.
pub struct Sessions {
    client: Arc<Client>,
    margin: Duration,
    /// The last used first.
    known: Mutex<Vec<Arc<Session>>>,
}

impl Sessions {
    /// `margin` is how long before its end a token is replaced.
    pub fn new(client: Arc<Client>, margin: Duration) -> Self {
        Sessions { client, margin, known: Mutex::default() }
    }

    /// The session of an identity.  Its token is asked for when it is needed.
    pub fn of(&self, identity: &Identity) -> Arc<Session> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let session = match known.iter().position(|session| session.identity == *identity) {
            Some(at) => known.remove(at),
            None => Arc::new(Session::new(self.client.clone(), identity.clone(), self.margin)),
        };
        known.insert(0, session.clone());
        known.truncate(MAX_SESSIONS);
        session
    }
}

/// The token of one identity: asked for by the first who needs it, replaced before its end and when a
/// service refuses it.
pub struct Session {
    client: Arc<Client>,
    identity: Identity,
    margin: Duration,
    grant: Kept<Grant>,
}

impl Session {
    fn new(client: Arc<Client>, identity: Identity, margin: Duration) -> Self {
        Session { client, identity, margin: margin.max(LAST_MOMENTS), grant: Kept::default() }
    }

    /// Where a service is, as the token's catalogue says.
    pub async fn endpoint(&self, wanted: &Service) -> Result<Url> {
        let address = self.identity.address();
        let found = self.grant().await?.endpoint(wanted, self.client.log());
        found.map_err(|error| error.context(format_args!("the identity service at {address}")))
    }

    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The session of the same user on behalf of another.
    pub(super) fn trusted(&self, trust_id: &str) -> Self {
        Session::new(self.client.clone(), self.identity.trusted(trust_id), self.margin)
    }

    pub(super) async fn grant(&self) -> Result<Arc<Grant>> {
        self.grant.get(|grant| grant.lasts(self.margin), self.log_in()).await
    }

    async fn log_in(&self) -> Result<Grant> {
        log_in(&self.client, &self.identity).await
    }

    /// Another token than the one that was refused; none when there is no other.
    async fn replace(&self, refused: &HeaderValue) -> Result<bool> {
        let is_good = |grant: &Grant| grant.token != refused && grant.lasts(self.margin);
        let grant = self.grant.get(is_good, self.log_in()).await?;
        Ok(grant.token != refused)
    }
}

/// Asks for a token.
pub(super) async fn log_in(client: &Client, identity: &Identity) -> Result<Grant> {
    let asked = Instant::now();
    let grant = match identity.login() {
        Login::Keystone { proof, scope } => keystone::log_in(client, identity, proof, scope).await?,
        Login::TempAuth { user, key } => tempauth::log_in(client, identity, user, key).await?,
    };
    let address = identity.address();
    let log = |line: std::fmt::Arguments<'_>| client.log().write(Level::Debug, "identity", line);
    match grant.end {
        Some(end) => {
            let seconds = end.saturating_duration_since(asked).as_secs();
            log(format_args!("{address} gave a token that is good for {seconds} s"));
        }
        None => log(format_args!("{address} gave a token without a known end")),
    }
    Ok(grant)
}

impl Authorizer for Session {
    fn authorize<'a>(&'a self, _url: &'a Url, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let grant = self.grant().await?;
            request.headers.insert(AUTH_TOKEN, grant.token.clone());
            Ok(())
        })
    }

    fn renew<'a>(&'a self, refusal: &'a Response) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let sent = &refusal.sent;
            match sent.headers.get(AUTH_TOKEN) {
                Some(token) if refusal.status == 401 && sent.renewals == 0 => self.replace(token).await,
                _ => Ok(false),
            }
        })
    }
}
