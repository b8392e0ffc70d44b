//! What is asked of Keystone, as JSON.

use std::io;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use crate::identity::credentials::{Domain, Proof, Scope};
use crate::identity::grant::Holder;

/// Asks for a token.
pub fn login(proof: &Proof, scope: &Scope) -> Bytes {
    let (method, details) = match proof {
        Proof::Password { user, domain: of, password } => {
            let password = Value::from(password.expose());
            let user =
                object([("name", user.as_str().into()), ("domain", domain(of)), ("password", password)]);
            ("password", object([("user", user)]))
        }
        Proof::ApplicationCredential { id, secret } => {
            let details = [("id", id.expose().into()), ("secret", secret.expose().into())];
            ("application_credential", object(details))
        }
        Proof::Token(token) => ("token", object([("id", token.expose().into())])),
    };
    let identity = object([("methods", vec![method].into()), (method, details)]);
    let scope = match scope {
        Scope::Implied => None,
        Scope::Project { name, domain: of } => Some(json!({"project": {"name": name, "domain": domain(of)}})),
        Scope::ProjectId(id) => Some(json!({"project": {"id": id}})),
        Scope::Trust(id) => Some(json!({"OS-TRUST:trust": {"id": id}})),
    };
    let auth = [Some(("identity", identity)), scope.map(|scope| ("scope", scope))];
    text(object([("auth", object(auth.into_iter().flatten()))]))
}

/// Asks for a trust: that the trustee may do in the project what the trustor may, in the trustor's name.
pub fn trust(trustor: &Holder, trustee_id: &str, project_id: &str, end: Option<String>) -> Bytes {
    let roles: Vec<Value> = trustor.roles.iter().map(|name| json!({"name": name})).collect();
    let mut trust = json!({
        "impersonation": true,
        "project_id": project_id,
        "trustee_user_id": trustee_id,
        "trustor_user_id": trustor.user_id,
        "roles": roles,
    });
    if let Some(end) = end {
        trust["expires_at"] = end.into();
    }
    text(object([("trust", trust)]))
}

fn domain(domain: &Domain) -> Value {
    match domain {
        Domain::Id(id) => json!({"id": id}),
        Domain::Name(name) => json!({"name": name}),
    }
}

/// Unlike `json!` it leaves no copies of its values behind.
fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
    Value::Object(entries.collect::<Map<String, Value>>())
}

/// The text of a body, which may hold secrets: it is wiped with its last copy, the body at once.
fn text(mut body: Value) -> Bytes {
    let mut length = Length(0);
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(&mut length, &body);
    // With its final size from the start, because growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(length.0));
    let _ = serde_json::to_writer(&mut *text, &body);
    wipe(&mut body);
    Bytes::from_owner(text)
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(entries) => entries.values_mut().for_each(wipe),
        _ => {}
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn parsed(text: &Bytes) -> Value {
        serde_json::from_slice(text).unwrap()
    }

    fn password(domain: Domain) -> Proof {
        Proof::Password { user: "user".into(), domain, password: Secret::new("pa\"ss\\wörd\n") }
    }

    #[test]
    fn a_password_comes_with_the_domains_of_user_and_project() {
        let domains = [
            (Domain::Id("default".into()), json!({"id": "default"})),
            (Domain::Name("Default".into()), json!({"name": "Default"})),
        ];
        for (domain, said) in domains {
            let scope = Scope::Project { name: "tenant".into(), domain: domain.clone() };
            let expected = json!({"auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "user", "password": "pa\"ss\\wörd\n", "domain": said}},
                },
                "scope": {"project": {"name": "tenant", "domain": said}},
            }});
            assert_eq!(parsed(&login(&password(domain), &scope)), expected);
        }
    }

    #[test]
    fn an_application_credential_comes_without_scope() {
        let proof = Proof::ApplicationCredential { id: Secret::new("id-1"), secret: Secret::new("secret-1") };
        let expected = json!({"auth": {"identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": "id-1", "secret": "secret-1"},
        }}});
        assert_eq!(parsed(&login(&proof, &Scope::Implied)), expected);
    }

    #[test]
    fn tokens_and_trusts_have_scopes_of_their_own() {
        let expected = json!({"auth": {
            "identity": {"methods": ["token"], "token": {"id": "0123"}},
            "scope": {"project": {"id": "p1"}},
        }});
        let token = Proof::Token(Secret::new("0123"));
        assert_eq!(parsed(&login(&token, &Scope::ProjectId("p1".into()))), expected);
        let proof = password(Domain::Id("default".into()));
        let scope = &parsed(&login(&proof, &Scope::Trust("t1".into())))["auth"]["scope"];
        assert_eq!(*scope, json!({"OS-TRUST:trust": {"id": "t1"}}));
    }

    #[test]
    fn a_trust_hands_on_every_role() {
        let trustor = Holder {
            user_id: "trustor".into(),
            roles: ["member".to_owned(), "reader".to_owned()].to_vec(),
            ..Holder::default()
        };
        let mut expected = json!({"trust": {
            "impersonation": true,
            "project_id": "p1",
            "trustee_user_id": "trustee",
            "trustor_user_id": "trustor",
            "roles": [{"name": "member"}, {"name": "reader"}],
        }});
        assert_eq!(parsed(&trust(&trustor, "trustee", "p1", None)), expected);
        expected["trust"]["expires_at"] = "2030-01-01T00:00:00Z".into();
        let end = Some("2030-01-01T00:00:00Z".to_owned());
        assert_eq!(parsed(&trust(&trustor, "trustee", "p1", end)), expected);
    }

    #[test]
    fn nothing_of_a_body_stays_behind() {
        let mut body = json!({"a": ["secret", {"b": "secret", "c": 1}]});
        wipe(&mut body);
        assert!(!body.to_string().contains("secret"), "{body}");
    }
}
