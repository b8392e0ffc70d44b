//! Identity services that refuse, fail or are none.

use super::*;

fn log_in(store: &Store, auth_url: &str) -> Error {
    let session = store.demo(auth_url);
    let result = run(async move { session.endpoint(&object_store()).await.map(drop) });
    assert_eq!(store.logged(PASSWORD), 0);
    result.unwrap_err()
}

/// Says what it was told, in every way a server may.
fn echoing(status: &'static str) -> Fake {
    Fake::start(move |request| {
        assert!(String::from_utf8_lossy(&request.body).contains(PASSWORD));
        answer(status, "Content-Type: application/json\r\n", &request.body)
    })
}

#[test]
fn each_refusal_has_its_error_and_repeats_nothing() {
    for (status, kind, words) in [
        ("300 Multiple Choices", Kind::Failed, "check the authentication address and version"),
        ("400 Bad Request", Kind::Failed, "makes no sense of the user, password"),
        (
            "401 Unauthorized",
            Kind::NotAuthenticated,
            "does not accept the user, password, project and domains",
        ),
        ("403 Forbidden", Kind::Forbidden, "does not allow"),
        ("404 Not Found", Kind::Failed, "check the authentication address and version"),
        ("405 Method Not Allowed", Kind::Failed, "check the authentication address"),
        ("413 Too Large", Kind::Failed, "refuses the request"),
        ("501 Not Implemented", Kind::Unavailable, "cannot do it now"),
        ("200 OK", Kind::Failed, "it has no X-Subject-Token"),
        ("204 No Content", Kind::Failed, "it has no X-Subject-Token"),
    ] {
        let (keystone, store) = (echoing(status), Store::new());
        let error = log_in(&store, &keystone.url(""));
        assert_error(&error, kind, words);
        assert_error(&error, kind, &keystone.url("/v3/"));
        assert_eq!(keystone.count(), 1, "{status}");
    }
}

#[test]
fn failures_that_may_pass_are_waited_for() {
    for status in ["429 Slow", "500 Oh", "502 Oh", "503 Oh", "504 Oh"] {
        let (keystone, store) = (echoing(status), Store::new());
        assert_error(&log_in(&store, &keystone.url("")), Kind::Unavailable, &keystone.url("/v3/"));
        assert_eq!(keystone.count(), 3, "{status}");
        let count = AtomicUsize::new(0);
        let recovering = Fake::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => answer(status, "Retry-After: 0\r\n", b""),
            _ => granted("token", 3600),
        });
        let session = store.demo(&recovering.url(""));
        run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap();
        assert_eq!(recovering.count(), 2);
    }
}

#[test]
fn answers_that_are_no_tokens_are_told_apart() {
    let token = "X-Subject-Token: abc\r\n";
    for (answer, words) in [
        (answer("201 Created", token, b""), "it is no JSON"),
        (answer("201 Created", token, b"<html>Welcome</html>"), "it is no JSON"),
        (answer("201 Created", token, b"{}"), "it describes no token"),
        (answer("201 Created", "", about(3600).to_string().as_bytes()), "it has no X-Subject-Token"),
        (answer("201 Created", token, &vec![b' '; (4 << 20) + 1]), "more than 4194304 bytes"),
    ] {
        let (keystone, store) = (Fake::answering(answer), Store::new());
        assert_error(&log_in(&store, &keystone.url("")), Kind::Failed, words);
    }
}

#[test]
fn a_connection_that_breaks_is_tried_again() {
    let count = AtomicUsize::new(0);
    let keystone = Fake::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Vec::new(),
        _ => granted("token", 3600),
    });
    let session = Store::new().demo(&keystone.url(""));
    run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap();
    assert_eq!(keystone.count(), 2);
}

#[test]
fn an_answer_that_breaks_off_is_no_token() {
    let keystone = Server::start(move |head, wire| {
        receive(head, wire);
        let whole = granted("token", 3600);
        send(wire, &whole[..whole.len() - 10]);
        Then::Close
    });
    assert_error(&log_in(&Store::new(), &keystone.url("")), Kind::Unavailable, "identity service");
}

#[test]
fn who_cannot_be_reached_is_named() {
    let nobody = Fake::answering(Vec::new()).url("");
    assert_error(
        &log_in(&Store::new(), &nobody),
        Kind::Unavailable,
        &format!("identity service at {nobody}"),
    );
}

#[test]
fn a_missing_service_is_named_with_what_there_is() {
    let keystone = Fake::keystone(3600);
    let session = Store::new().demo(&keystone.url(""));
    let wanted = Service { region: Some("Sahara".into()), ..object_store() };
    let error = run(async move { session.endpoint(&wanted).await.map(drop) }).unwrap_err();
    assert_error(&error, Kind::NoEndpoint, "in region \"Sahara\"; it has object-store public in One");
    assert_error(&error, Kind::NoEndpoint, &keystone.url("/v3/"));
}

#[test]
fn redirects_stay_with_the_server() {
    let keystone = Fake::start(|request| match request.head.target.as_str() {
        "/v3/auth/tokens" => answer("301 Moved", "Location: /identity/v3/auth/tokens\r\n", b""),
        _ => {
            assert!(request.head.method == "POST" && !request.body.is_empty());
            granted("token", 3600)
        }
    });
    let session = Store::new().demo(&keystone.url(""));
    run(async move { session.endpoint(&object_store()).await.map(drop) }).unwrap();
    assert_eq!(keystone.targets(), ["/v3/auth/tokens", "/identity/v3/auth/tokens"]);
}

#[test]
fn redirects_to_others_are_errors() {
    let (other, store) = (Fake::keystone(3600), Store::new());
    let elsewhere = other.url("/v3/auth/tokens");
    for status in ["301 Moved", "302 Found", "307 Moved", "308 Moved"] {
        let keystone = Fake::answering(answer(status, &format!("Location: {elsewhere}\r\n"), b""));
        assert_error(&log_in(&store, &keystone.url("")), Kind::Failed, "which is another server");
    }
    let circle = Fake::answering(answer("307 Moved", "Location: /v3/auth/tokens\r\n", b""));
    assert_error(&log_in(&store, &circle.url("")), Kind::Failed, "circles");
    assert_eq!(other.count(), 0);
}
