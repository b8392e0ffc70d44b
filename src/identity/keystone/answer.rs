//! What Keystone answers.

use std::time::{Duration, Instant};

use http::HeaderMap;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::identity::catalogue::Catalogue;
use crate::identity::grant::{Grant, Holder, Services};

/// Why an answer is none of Keystone's.
type Reason = &'static str;

const SUBJECT_TOKEN: &str = "x-subject-token";

/// Reads the answer to a request for a token that was sent at `asked`.
pub fn grant(headers: &HeaderMap, body: &[u8], asked: Instant) -> Result<Grant, Reason> {
    let token = headers.get(SUBJECT_TOKEN).filter(|token| !token.is_empty());
    let mut token = token.ok_or("it has no X-Subject-Token")?.clone();
    token.set_sensitive(true);
    let answer: Value = serde_json::from_slice(body).map_err(|_| "it is no JSON")?;
    let about = answer["token"].as_object().map(|_| &answer["token"]).ok_or("it describes no token")?;
    let catalogue = about["catalog"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(Grant {
        token,
        end: lifetime(about).and_then(|life| asked.checked_add(life)),
        services: Services::Catalogue(Catalogue::from_services(catalogue)),
        holder: holder(about),
    })
}

/// How long a new token is good: what the server's two times differ by, so that it does not matter what
/// time it is here.  None when they cannot be read: then the token is used until it is refused.
fn lifetime(token: &Value) -> Option<Duration> {
    let (issued, end) = (time_of(token, "issued_at")?, time_of(token, "expires_at")?);
    Some((end - issued).try_into().unwrap_or_default())
}

fn time_of(token: &Value, key: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(token[key].as_str()?, &Rfc3339).ok()
}

/// Whether it was Keystone that refused, and not a server that knows no Keystone.
pub fn is_refusal(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["error"]["code"].is_u64()
}

fn holder(token: &Value) -> Holder {
    let roles = token["roles"].as_array().into_iter().flatten();
    Holder {
        user_id: token["user"]["id"].as_str().unwrap_or_default().to_owned(),
        roles: roles.filter_map(|role| role["name"].as_str()).map(str::to_owned).collect(),
        issued_at: time_of(token, "issued_at"),
    }
}

/// Reads the answer to a request for a trust: its identifier, which must fit into a path.
pub fn trust_id(body: &[u8]) -> Result<String, Reason> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "it is no JSON")?;
    let is_plain =
        |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let id = answer["trust"]["id"].as_str().filter(is_plain).ok_or("it describes no trust")?;
    Ok(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HeaderName;
    use serde_json::json;

    fn with_token(token: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(SUBJECT_TOKEN), HeaderValue::from_static(token))])
    }

    fn parse(body: &str) -> Result<Grant, Reason> {
        grant(&with_token("abc"), body.as_bytes(), Instant::now())
    }

    #[test]
    fn a_token_tells_whose_it_is() {
        let body = json!({"token": {
            "user": {"id": "u1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "1", "name": "member"}, {"id": "2"}, {"id": "3", "name": "reader"}],
            "issued_at": "2026-11-20T12:00:00.000000Z",
            "catalog": [],
        }});
        let grant = parse(&body.to_string()).unwrap();
        assert_eq!(
            (grant.holder.user_id.as_str(), grant.holder.roles.join(" ")),
            ("u1", "member reader".into())
        );
        assert_eq!(grant.holder.issued_at.map(OffsetDateTime::unix_timestamp), Some(1_795_176_000));
        assert!(grant.token.is_sensitive() && grant.token == "abc");
    }

    #[test]
    fn a_life_is_measured_by_the_clock_of_the_server() {
        for (issued, end, seconds) in [
            ("2026-11-20T12:00:00.000000Z", "2026-11-20T13:00:00.000000Z", Some(3600)),
            ("1999-12-31T23:59:59Z", "2000-01-01T00:00:01Z", Some(2)),
            ("2000-02-28T12:00:00Z", "2000-03-01T12:00:00Z", Some(172_800)),
            ("2026-11-20T12:00:00Z", "2026-11-20T14:00:00+01:00", Some(3600)),
            ("2026-11-20T12:00:00Z", "2026-11-20T11:00:00Z", Some(0)),
            ("2026-11-20T12:00:00Z", "soon", None),
            ("", "2026-11-20T12:00:00Z", None),
            ("2026-11-20T12:00:00Z", "2026-13-20T12:00:00Z", None),
        ] {
            let token = json!({"issued_at": issued, "expires_at": end});
            assert_eq!(lifetime(&token), seconds.map(Duration::from_secs), "{issued} {end}");
        }
        assert_eq!(lifetime(&json!({"expires_at": "9999-12-31T23:59:59Z"})), None);
        let far =
            json!({"token": {"issued_at": "0001-01-01T00:00:00Z", "expires_at": "9999-12-31T23:59:59Z"}});
        assert!(parse(&far.to_string()).unwrap().lasts(Duration::from_secs(3600)));
    }

    #[test]
    fn answers_of_something_else_are_told_apart() {
        for (body, reason) in [
            ("", "it is no JSON"),
            ("<html>", "it is no JSON"),
            ("{\"token\": {}", "it is no JSON"),
            ("{}", "it describes no token"),
            ("[]", "it describes no token"),
            ("{\"token\": \"abc\"}", "it describes no token"),
            ("{\"token\": null}", "it describes no token"),
        ] {
            assert_eq!(parse(body).err(), Some(reason), "{body}");
        }
        let body = b"{\"token\": {}}";
        for headers in [HeaderMap::new(), with_token("")] {
            assert_eq!(grant(&headers, body, Instant::now()).err(), Some("it has no X-Subject-Token"));
        }
        for body in ["{\"token\": {\"catalog\": {}, \"roles\": 1, \"user\": []}}", "{\"token\": {}}"] {
            let grant = parse(body).unwrap();
            assert_eq!((grant.end, grant.holder), (None, Holder::default()), "{body}");
        }
    }

    #[test]
    fn only_keystone_refuses_in_json() {
        assert!(is_refusal(b"{\"error\": {\"code\": 404, \"title\": \"Not Found\"}}"));
        for body in ["", "<html>Not Found</html>", "{}", "{\"error\": \"Not Found\"}", "[404]"] {
            assert!(!is_refusal(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn the_identifier_of_a_trust_must_fit_into_a_path() {
        assert_eq!(trust_id(b"{\"trust\": {\"id\": \"0a-1F\"}}").as_deref(), Ok("0a-1F"));
        for body in [
            "{\"trust\": {\"id\": \"../users\"}}",
            "{\"trust\": {\"id\": \"\"}}",
            "{\"trust\": {\"id\": 1}}",
            "{\"trust\": {}}",
            "{}",
            "trust",
        ] {
            assert!(trust_id(body.as_bytes()).is_err(), "{body}");
        }
    }
}
