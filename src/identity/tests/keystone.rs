//! What a Keystone is asked.

use super::*;

fn log_in(identity: &Identity) {
    let session = Store::new().sessions.of(identity);
    run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap();
}

#[test]
fn a_token_is_asked_for_below_the_address() {
    for (path, target) in [
        ("", "/v3/auth/tokens"),
        ("/", "/v3/auth/tokens"),
        ("/v3", "/v3/auth/tokens"),
        ("/v3/", "/v3/auth/tokens"),
        ("/identity", "/identity/v3/auth/tokens"),
        ("/identity/v3", "/identity/v3/auth/tokens"),
        ("/v2.0", "/v3/auth/tokens"),
    ] {
        let keystone = Fake::keystone(3600);
        log_in(&demo(&keystone.url(path)));
        let requests = keystone.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(
            (requests[0].head.method.as_str(), requests[0].head.target.as_str()),
            ("POST", target),
            "{path}"
        );
        assert_eq!(requests[0].head.header("content-type"), Some("application/json"));
        assert_eq!(requests[0].head.header("x-auth-token"), None);
    }
}

#[test]
fn the_whole_body_arrives() {
    let keystone = Fake::keystone(3600);
    log_in(&demo(&keystone.url("")));
    let body: Value = serde_json::from_slice(&keystone.requests()[0].body).unwrap();
    let domain = json!({"id": "default"});
    let user = json!({"name": "demo", "password": PASSWORD, "domain": domain});
    let expected = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": "project", "domain": domain}},
    }});
    assert_eq!(body, expected);
}

#[test]
fn an_unknown_application_credential_is_a_refusal() {
    let refusal = json!({"error": {"code": 404, "message": "Could not find it", "title": "Not Found"}});
    let keystone = Fake::answering(answer("404 Not Found", "", refusal.to_string().as_bytes()));
    let identity =
        Identity::application_credential(&url(&keystone.url("")), Secret::new("id"), Secret::new(PASSWORD));
    let session = Store::new().sessions.of(&identity);
    let error = run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap_err();
    assert_error(&error, Kind::NotAuthenticated, "does not accept the application credential");
}
