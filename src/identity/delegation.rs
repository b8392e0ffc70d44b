//! Acting for the user of a request, if need be for longer than the user's token lives.

use std::fmt::Display;
use std::sync::Arc;

use http::HeaderValue;
use tokio::runtime::Handle;

use super::grant::{Grant, secret_value};
use super::keystone;
use super::session::{AUTH_TOKEN, Session, log_in};
use crate::error::{Error, Kind, Result};
use crate::http::{Authorizer, BoxFuture, Request, Response, Url};
use crate::log::Level;
use crate::operation::Context;
use crate::secret::Secret;

/// The token of a request context, as it is: who has made it must renew it.
pub struct UserToken(HeaderValue);

impl UserToken {
    pub fn of(context: &Context) -> Result<Self> {
        Ok(UserToken(secret_value(token_of(context)?.expose())?))
    }
}

impl Authorizer for UserToken {
    fn authorize<'a>(&'a self, _url: &'a Url, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        request.headers.insert(AUTH_TOKEN, self.0.clone());
        Box::pin(async { Ok(()) })
    }

    fn renew<'a>(&'a self, _refusal: &'a Response) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async { Ok(false) })
    }
}

fn token_of(context: &Context) -> Result<&Secret> {
    context
        .auth_token
        .as_ref()
        .ok_or_else(|| Error::new(Kind::NotAuthenticated, "the context of the call has no token of a user"))
}

/// What acts for a user during one operation: a service user whom the user has entrusted with it, or, where
/// that cannot be, the user's own token.
pub struct Delegation {
    authorizer: Arc<dyn Authorizer>,
    trust: Option<Trust>,
}

impl Delegation {
    /// Has the user of the context entrust the user of `service` with what the user may do in the project.
    pub async fn begin(service: &Session, context: &Context) -> Result<Self> {
        let user = UserToken::of(context)?;
        match Trust::create(service, context).await {
            Ok(trust) => Ok(Delegation { authorizer: trust.session.clone(), trust: Some(trust) }),
            Err(error) => {
                let log = service.client().log();
                log.write(
                    Level::Debug,
                    "identity",
                    format_args!("no trust, the token of the user must do: {error}"),
                );
                Ok(Delegation { authorizer: Arc::new(user), trust: None })
            }
        }
    }

    pub fn authorizer(&self) -> Arc<dyn Authorizer> {
        self.authorizer.clone()
    }

    /// Deletes the trust, after the operation, however that went.  One that is dropped before is deleted
    /// behind its back.
    pub async fn end(mut self) {
        if let Some(trust) = &mut self.trust {
            trust.delete().await;
        }
    }
}

struct Trust {
    session: Arc<Session>,
    /// None once it is deleted.
    bond: Option<Bond>,
    runtime: Handle,
}

impl Trust {
    async fn create(service: &Session, context: &Context) -> Result<Self> {
        let (client, identity) = (service.client(), service.identity());
        let impossible = |why: &str| Error::new(Kind::BadConfig, why);
        if !identity.is_trustworthy() {
            return Err(impossible("the service user has no password of Keystone"));
        }
        let no_project = || impossible("the context of the call has no project");
        let project_id = context.project_id.as_ref().ok_or_else(no_project)?;
        let holder = identity.holder(token_of(context)?.clone(), project_id.clone());
        let mut trustor = log_in(client, &holder).await?;
        if let Some(user_id) = &context.user_id {
            trustor.holder.user_id.clone_from(user_id);
        }
        let trustee = service.grant().await?;
        let id =
            keystone::create_trust(client, identity, &trustor, &trustee.holder.user_id, project_id).await?;
        let session = Arc::new(service.trusted(&id));
        let bond = Some(Bond { id, trustor, session: session.clone() });
        let mut trust = Trust { session, bond, runtime: Handle::current() };
        match trust.session.grant().await {
            Ok(_) => Ok(trust),
            Err(error) => {
                trust.delete().await;
                Err(error)
            }
        }
    }

    async fn delete(&mut self) {
        if let Some(bond) = &self.bond {
            bond.sever().await;
        }
        self.bond = None;
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        if let Some(bond) = self.bond.take() {
            self.runtime.spawn(async move { bond.sever().await });
        }
    }
}

/// What there is to delete.
struct Bond {
    id: String,
    /// The user's own token: a trust that has not worked cannot delete itself.
    trustor: Grant,
    session: Arc<Session>,
}

impl Bond {
    /// The operation has done its work: that this fails is no reason for it to fail.
    async fn sever(&self) {
        let (log, id) = (self.session.client().log(), &self.id);
        let stays = |why: &dyn Display| {
            log.write(Level::Warn, "identity", format_args!("trust {id} stays until it ends: {why}"));
        };
        match self.try_sever().await {
            Ok(200..=299 | 404) => log.write(Level::Debug, "identity", format_args!("trust {id} deleted")),
            Ok(status) => stays(&format_args!("Keystone answered {status}")),
            Err(error) => stays(&error),
        }
    }

    async fn try_sever(&self) -> Result<u16> {
        let (client, identity) = (self.session.client(), self.session.identity());
        match keystone::delete_trust(client, identity, &self.id, &self.trustor.token).await? {
            // The user's token has ended meanwhile.  The trust speaks for the same user.
            401 => {
                let grant = self.session.grant().await?;
                keystone::delete_trust(client, identity, &self.id, &grant.token).await
            }
            status => Ok(status),
        }
    }
}
