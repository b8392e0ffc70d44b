//! Authentication version 1.

use super::*;

const FINE: &str = "X-Storage-Url: http://storage.example/v1/AUTH_x\r\nX-Auth-Token: token-0\r\n";

fn tester(auth_url: &str) -> Identity {
    Identity::tempauth(&url(auth_url), "test:tester".into(), Secret::new(PASSWORD))
}

fn log_in(store: &Store, auth_url: &str) -> Result<String> {
    let session = store.sessions.of(&tester(auth_url));
    run(async move { session.endpoint(&object_store()).await.map(|url| url.to_uri()) })
}

#[test]
fn user_and_key_become_a_token_and_the_storage_address() {
    for status in ["200 OK", "204 No Content"] {
        let (auth, service) = (Fake::answering(answer(status, FINE, b"")), Fake::taking("token-0"));
        let store = Store::new();
        assert_eq!(log_in(&store, &auth.url("/auth/v1.0")).unwrap(), "http://storage.example/v1/AUTH_x");
        let session = store.sessions.of(&tester(&auth.url("/auth/v1.0")));
        assert_eq!(store.ask(&session, &service.url("/v1/AUTH_x/c/o")).unwrap(), 204);
        let requests = auth.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(
            (requests[0].head.method.as_str(), requests[0].head.target.as_str()),
            ("GET", "/auth/v1.0")
        );
        assert_eq!(requests[0].head.header("x-auth-user"), Some("test:tester"));
        assert_eq!(requests[0].head.header("x-auth-key"), Some(PASSWORD));
    }
}

#[test]
fn refusals_have_their_errors() {
    for (status, kind, words) in [
        ("401 Unauthorized", Kind::NotAuthenticated, "does not accept the user and key"),
        ("403 Forbidden", Kind::NotAuthenticated, "does not accept the user and key"),
        ("404 Not Found", Kind::Failed, "check the authentication address and version"),
        ("300 Multiple Choices", Kind::Failed, "check the authentication address and version"),
        ("200 OK", Kind::Failed, "it has no X-Storage-Url"),
        ("503 Oh", Kind::Unavailable, "identity service"),
    ] {
        let (auth, store) = (Fake::answering(answer(status, "", PASSWORD.as_bytes())), Store::new());
        assert_error(&log_in(&store, &auth.url("/auth/v1.0")).unwrap_err(), kind, words);
        assert_eq!(store.logged(PASSWORD), 0);
    }
}

#[test]
fn a_key_goes_nowhere_else() {
    let other = Fake::answering(answer("200 OK", FINE, b""));
    let elsewhere = format!("Location: {}\r\n", other.url("/auth/v1.0"));
    let auth = Fake::answering(answer("302 Found", &elsewhere, b""));
    let error = log_in(&Store::new(), &auth.url("/auth/v1.0")).unwrap_err();
    assert_error(&error, Kind::Failed, "which is another server");
    assert_eq!(other.count(), 0);
}

#[test]
fn a_token_that_says_its_end_is_replaced() {
    let soon = format!("{FINE}X-Auth-Token-Expires: 30\r\n");
    for (headers, tokens) in [(FINE, 1), (soon.as_str(), 2)] {
        let (auth, store) = (Fake::answering(answer("200 OK", headers, b"")), Store::new());
        for _ in 0..2 {
            log_in(&store, &auth.url("/auth/v1.0")).unwrap();
        }
        assert_eq!(auth.count(), tokens);
    }
}

#[test]
fn a_key_that_no_header_can_have_is_an_error() {
    let store = Store::new();
    let identity = Identity::tempauth(&url("http://h"), "u".into(), Secret::new("line\nbreak"));
    let session = store.sessions.of(&identity);
    let error = run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap_err();
    assert_error(&error, Kind::NotAuthenticated, "characters that no header");
}
