//! Authentication version 1: user and key in the headers of a request, token and storage address in those
//! of its answer.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::HeaderName;

use super::catalogue::parse_url;
use super::credentials::Identity;
use super::error::{refused, strange};
use super::exchange::ask;
use super::grant::{Grant, Holder, Services, secret_value};
use super::session::AUTH_TOKEN;
use crate::error::Result;
use crate::http::{Client, Request};
use crate::secret::Secret;

const AUTH_USER: HeaderName = HeaderName::from_static("x-auth-user");
const AUTH_KEY: HeaderName = HeaderName::from_static("x-auth-key");
const STORAGE_URL: HeaderName = HeaderName::from_static("x-storage-url");
const STORAGE_TOKEN: HeaderName = HeaderName::from_static("x-storage-token");
/// In seconds from now.
const TOKEN_EXPIRES: HeaderName = HeaderName::from_static("x-auth-token-expires");

pub async fn log_in(client: &Client, identity: &Identity, user: &str, key: &Secret) -> Result<Grant> {
    let (user, key) = (secret_value(user)?, secret_value(key.expose())?);
    let request = || Request::get().with(AUTH_USER, user.clone()).with(AUTH_KEY, key.clone());
    let asked = Instant::now();
    let response = ask(client, identity.address(), request).await?;
    match response.status {
        200..=299 => grant(&response.headers, asked).map_err(|reason| strange(identity.address(), reason)),
        // radosgw's way to refuse a key.
        403 => Err(refused(identity, 401)),
        status => Err(refused(identity, status)),
    }
}

fn grant(headers: &HeaderMap, asked: Instant) -> std::result::Result<Grant, &'static str> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let storage = text(&STORAGE_URL).ok_or("it has no X-Storage-Url")?;
    let token = |name: &HeaderName| headers.get(name).filter(|token| !token.is_empty());
    let token = token(&STORAGE_TOKEN).or_else(|| token(&AUTH_TOKEN));
    let mut token = token.ok_or("it has neither X-Storage-Token nor X-Auth-Token")?.clone();
    token.set_sensitive(true);
    let life = text(&TOKEN_EXPIRES).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    Ok(Grant {
        token,
        end: life.and_then(|life| asked.checked_add(life)),
        services: Services::Storage(parse_url(storage.trim_end_matches('/'))?),
        holder: Holder::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn parse(headers: &[(HeaderName, &'static str)]) -> std::result::Result<Grant, &'static str> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        grant(&headers.collect(), Instant::now())
    }

    #[test]
    fn the_token_for_storage_comes_first() {
        let (url, storage, auth) =
            ((STORAGE_URL, "http://h/v1/AUTH_x/"), (STORAGE_TOKEN, "for-storage"), (AUTH_TOKEN, "for-all"));
        for (headers, token) in [
            (&[url.clone(), storage.clone(), auth.clone()][..], "for-storage"),
            (&[url.clone(), auth.clone()], "for-all"),
            (&[url.clone(), storage], "for-storage"),
            (&[url.clone(), (STORAGE_TOKEN, ""), auth], "for-all"),
        ] {
            let grant = parse(headers).unwrap();
            assert!(grant.token == token && grant.token.is_sensitive());
            assert!(grant.end.is_none());
            let Services::Storage(url) = grant.services else { panic!("a catalogue") };
            assert_eq!(url.to_uri(), "http://h/v1/AUTH_x");
        }
    }

    #[test]
    fn the_end_of_a_token_may_be_told() {
        for (text, ends) in [("86400", true), ("soon", false), ("-1", false), ("", false)] {
            let headers = [(STORAGE_URL, "http://h"), (AUTH_TOKEN, "t"), (TOKEN_EXPIRES, text)];
            assert_eq!(parse(&headers).unwrap().end.is_some(), ends, "{text}");
        }
    }

    #[test]
    fn answers_without_token_or_address_are_refused() {
        for (headers, reason) in [
            (&[(AUTH_TOKEN, "t")][..], "it has no X-Storage-Url"),
            (&[(STORAGE_URL, "http://h")], "it has neither X-Storage-Token nor X-Auth-Token"),
            (&[(STORAGE_URL, "/v1/AUTH_x"), (AUTH_TOKEN, "t")], "it has no scheme"),
            (&[(STORAGE_URL, "ftp://h"), (AUTH_TOKEN, "t")], "it is neither http nor https"),
        ] {
            assert_eq!(parse(headers).err(), Some(reason));
        }
    }
}
