//! Keystone's API, version 3.

mod answer;
mod body;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::credentials::{Identity, Proof, Scope};
use super::error::{no_trust, refused, strange};
use super::exchange::ask;
use super::grant::{Grant, Holder, secret_value};
use super::session::AUTH_TOKEN;
use crate::chance;
use crate::error::Result;
use crate::http::{Client, Payload, Request, Response, Url};

/// The catalogue of a large cloud has 100 KiB.
const MAX_ANSWER: usize = 4 << 20;

/// A trust that nobody deletes, because the process was killed, ends by itself after so long, and no
/// transfer takes longer.
const TRUST_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Asks for a token.
pub async fn log_in(client: &Client, identity: &Identity, proof: &Proof, scope: &Scope) -> Result<Grant> {
    let url = below(identity.address(), "auth/tokens");
    let token = match proof {
        Proof::Token(token) => Some(secret_value(token.expose())?),
        _ => None,
    };
    let text = body::login(proof, scope);
    let request = || match &token {
        Some(token) => post(&text).with(AUTH_TOKEN, token.clone()),
        None => post(&text),
    };
    let asked = Instant::now();
    let response = ask(client, &url, || request().repeatable()).await?;
    let (status, headers) = (response.status, response.headers.clone());
    let answer = read(response, &url).await?;
    match status {
        200..=299 => answer::grant(&headers, &answer, asked).map_err(|reason| strange(&url, reason)),
        // That is what an application credential gets that does not exist.
        404 if answer::is_refusal(&answer) => Err(refused(identity, 401)),
        _ => Err(refused(identity, status)),
    }
}

/// Makes a trust; `trustor` is whose token that is.
pub async fn create_trust(
    client: &Client,
    identity: &Identity,
    trustor: &Grant,
    trustee_id: &str,
    project_id: &str,
) -> Result<String> {
    let url = below(identity.address(), "OS-TRUST/trusts");
    let text = body::trust(&trustor.holder, trustee_id, project_id, trust_end(&trustor.holder));
    let response = ask(client, &url, || post(&text).with(AUTH_TOKEN, trustor.token.clone())).await?;
    match response.status {
        200..=299 => {
            let answer = read(response, &url).await?;
            answer::trust_id(&answer).map_err(|reason| strange(&url, reason))
        }
        status => Err(no_trust(identity.address(), status)),
    }
}

/// Deletes a trust by a token of the trustor, or one that the trust itself has given: its status.
pub async fn delete_trust(
    client: &Client,
    identity: &Identity,
    id: &str,
    token: &HeaderValue,
) -> Result<u16> {
    let url = below(identity.address(), &format!("OS-TRUST/trusts/{id}"));
    let response = ask(client, &url, || Request::delete().with(AUTH_TOKEN, token.clone())).await?;
    let status = response.status;
    response.body.discard().await;
    Ok(status)
}

/// By the clock that it is checked against.  No two trusts between the same users may have the same end,
/// not even when one of them is deleted: so it is somewhere within a day, to the microsecond.
fn trust_end(trustor: &Holder) -> Option<String> {
    let chance = chance::number() % 86_400_000_000;
    let life = time::Duration::try_from(TRUST_LIFE + Duration::from_micros(chance)).ok()?;
    let now = trustor.issued_at.unwrap_or_else(OffsetDateTime::now_utc);
    now.checked_add(life)?.format(&Rfc3339).ok()
}

fn below(root: &Url, path: &str) -> Url {
    root.with_target(&format!("{}{path}", root.request_target()))
}

fn post(text: &Bytes) -> Request {
    let json = HeaderValue::from_static("application/json");
    Request::post(Payload::held(vec![text.clone()])).with(CONTENT_TYPE, json)
}

async fn read(response: Response, url: &Url) -> Result<Vec<u8>> {
    let whole = response.body.read_all(MAX_ANSWER).await;
    whole.map_err(|error| error.context(format_args!("the answer of the identity service at {url}")))
}
