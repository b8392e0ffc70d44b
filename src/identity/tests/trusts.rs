//! Trusts: made, used and deleted, whatever happens in between.

use std::sync::mpsc;

use super::*;
use crate::operation::Cancel;

/// A Keystone that knows a user's token and a service user, and answers one of its requests otherwise.
fn keystone(otherwise: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Fake {
    Fake::start(move |request| {
        let step = step(request);
        let usual = || match step.as_str() {
            "service token" => granted("service", 3600),
            "user token" => granted("trustor", 3600),
            "trust" => answer("201 Created", "", b"{\"trust\": {\"id\": \"trust-1\"}}"),
            "trusted token" => granted("trusted", 3600),
            "deletion by trustor" | "deletion by trusted" => answer("204 No Content", "", b""),
            other => panic!("nobody asks for {other}"),
        };
        otherwise(&step).unwrap_or_else(usual)
    })
}

/// What a request is for.
fn step(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let token = request.head.header("x-auth-token").unwrap_or("none");
    let (identity, scope) = (&body["auth"]["identity"], &body["auth"]["scope"]);
    match (request.head.method.as_str(), request.head.target.as_str()) {
        ("POST", "/v3/auth/tokens") if identity["methods"][0] == "token" => {
            assert_eq!((token, &identity["token"]["id"]), ("user", &json!("user")));
            assert_eq!(*scope, json!({"project": {"id": "project-id"}}));
            "user token".into()
        }
        ("POST", "/v3/auth/tokens") if scope["OS-TRUST:trust"]["id"] == "trust-1" => "trusted token".into(),
        ("POST", "/v3/auth/tokens") => "service token".into(),
        ("POST", "/v3/OS-TRUST/trusts") => {
            let trust = &body["trust"];
            assert_eq!(token, "trustor");
            assert_eq!(trust["impersonation"], true);
            assert_eq!(trust["project_id"], "project-id");
            assert_eq!(
                (&trust["trustor_user_id"], &trust["trustee_user_id"]),
                (&json!("user-id"), &json!("demo-id"))
            );
            assert_eq!(trust["roles"], json!([{"name": "member"}, {"name": "reader"}]));
            // A week after the token was made by the server's clock, and up to a day more.
            let end = trust["expires_at"].as_str().unwrap();
            assert!(
                end > "1970-01-19T13:46:40" && end < "1970-01-20T13:46:41" && end.ends_with('Z'),
                "{end}"
            );
            "trust".into()
        }
        ("DELETE", "/v3/OS-TRUST/trusts/trust-1") => format!("deletion by {token}"),
        other => panic!("nobody asks for {other:?}"),
    }
}

fn steps(keystone: &Fake) -> Vec<String> {
    keystone.requests().iter().map(step).collect()
}

fn context() -> Context {
    Context {
        user_id: Some("user-id".into()),
        project_id: Some("project-id".into()),
        auth_token: Some(Secret::new("user")),
        ..Context::default()
    }
}

/// Runs an operation on behalf of the user: the token that it is done with.
fn operate(store: &Store, keystone: &Fake, context: Context) -> Result<String> {
    let service = Fake::answering(answer("204 Fine", "", b""));
    let (client, session) = (store.client.clone(), store.demo(&keystone.url("")));
    let address = url(&service.url("/c/o"));
    run(async move {
        let delegation = Delegation::begin(&session, &context).await?;
        let target = Target { url: address, authorizer: Some(delegation.authorizer()) };
        let result = status(&client, target).await;
        delegation.end().await;
        result
    })?;
    let shown = &service.requests()[0].head;
    Ok(shown.header("x-auth-token").unwrap_or_default().to_owned())
}

#[test]
fn a_trust_is_made_used_and_deleted() {
    let (keystone, store) = (keystone(|_| None), Store::new());
    assert_eq!(operate(&store, &keystone, context()).unwrap(), "trusted");
    let once = ["user token", "service token", "trust", "trusted token", "deletion by trustor"];
    assert_eq!(steps(&keystone), once);
    assert_eq!(operate(&store, &keystone, context()).unwrap(), "trusted");
    let again = ["user token", "trust", "trusted token", "deletion by trustor"];
    assert_eq!(steps(&keystone)[once.len()..], again, "the service user's token is kept");
}

#[test]
fn the_users_token_must_do_where_no_trust_can_be_made() {
    for (failing, status, rest) in [
        ("user token", "401 No", &[][..]),
        ("service token", "401 No", &["service token"]),
        ("trust", "403 No", &["service token", "trust"]),
        ("trusted token", "401 No", &["service token", "trust", "trusted token", "deletion by trustor"]),
    ] {
        let refusal = move |step: &str| (step == failing).then(|| answer(status, "", b""));
        let (keystone, store) = (keystone(refusal), Store::new());
        assert_eq!(operate(&store, &keystone, context()).unwrap(), "user", "{failing}");
        assert_eq!(steps(&keystone)[1..], *rest, "{failing}");
        assert_eq!(store.logged("no trust, the token of the user must do"), 1);
    }
}

#[test]
fn a_trust_whose_user_has_no_token_any_more_deletes_itself() {
    let refusal = |step: &str| (step == "deletion by trustor").then(|| answer("401 No", "", b""));
    let (keystone, store) = (keystone(refusal), Store::new());
    assert_eq!(operate(&store, &keystone, context()).unwrap(), "trusted");
    assert_eq!(steps(&keystone)[4..], ["deletion by trustor", "deletion by trusted"]);
    assert_eq!(store.logged("trust trust-1 deleted"), 1);
}

#[test]
fn a_trust_that_cannot_be_deleted_is_no_failure() {
    for status in ["403 No", "500 Oh"] {
        let refusal = move |step: &str| (step == "deletion by trustor").then(|| answer(status, "", b""));
        let (keystone, store) = (keystone(refusal), Store::new());
        assert_eq!(operate(&store, &keystone, context()).unwrap(), "trusted");
        assert_eq!(store.logged("trust trust-1 stays until it ends"), 1, "{status}");
    }
}

#[test]
fn a_context_without_a_project_has_no_trust_and_without_a_token_nothing() {
    let (keystone, store) = (keystone(|_| None), Store::new());
    let no_project = Context { project_id: None, ..context() };
    assert_eq!(operate(&store, &keystone, no_project).unwrap(), "user");
    let no_token = Context { auth_token: None, ..context() };
    let error = operate(&store, &keystone, no_token).unwrap_err();
    assert_error(&error, Kind::NotAuthenticated, "no token of a user");
    assert_eq!(keystone.count(), 0);
}

#[test]
fn who_has_no_password_of_keystone_gets_no_trusts() {
    let (auth, store) = (Fake::keystone(3600), Store::new());
    let (address, secret) = (url(&auth.url("")), || Secret::new(PASSWORD));
    for identity in [
        Identity::tempauth(&address, "user".into(), secret()),
        Identity::application_credential(&address, Secret::new("id"), secret()),
    ] {
        let session = store.sessions.of(&identity);
        run(async move {
            Delegation::begin(&session, &context()).await?.end().await;
            Ok(())
        })
        .unwrap();
    }
    assert_eq!(auth.count(), 0);
    assert_eq!(store.logged("no trust, the token of the user must do"), 2);
}

#[test]
fn a_users_own_token_is_not_renewed() {
    let (service, store) = (Fake::taking("none"), Store::new());
    let (client, address) = (store.client.clone(), url(&service.url("/c/o")));
    let result = run(async move {
        let target = Target { url: address, authorizer: Some(Arc::new(UserToken::of(&context())?)) };
        status(&client, target).await
    });
    assert_eq!((result.unwrap(), service.count()), (401, 1));
}

/// A Keystone that tells of each step, before it answers.
fn telling() -> (Fake, mpsc::Receiver<String>) {
    let (tell, told) = mpsc::channel();
    let telling = move |step: &str| {
        // The test may have seen enough.
        let _ = tell.send(step.to_owned());
        None
    };
    (keystone(telling), told)
}

fn wait_for(step: &str, told: &mpsc::Receiver<String>) {
    while told.recv_timeout(Duration::from_secs(20)).expect("another step") != step {}
}

#[test]
fn a_trust_that_is_only_dropped_is_deleted_too() {
    let ((keystone, told), store) = (telling(), Store::new());
    let session = store.demo(&keystone.url(""));
    let delegation = run(async move { Delegation::begin(&session, &context()).await }).unwrap();
    drop(delegation);
    wait_for("deletion by trustor", &told);
}

#[test]
fn a_trust_of_a_cancelled_operation_is_deleted() {
    let cancel = Arc::new(Cancel::new().unwrap());
    let op = Operation::new(Some(cancel.clone()), None, Arc::default());
    let ((tell, told), (answer_now, may_answer)) = (mpsc::channel(), mpsc::channel::<()>());
    let may_answer = Mutex::new(may_answer);
    let keystone = keystone(move |step| {
        let _ = tell.send(step.to_owned());
        if step == "trusted token" {
            cancel.trigger();
            let _ = may_answer.lock().unwrap().recv();
        }
        None
    });
    let store = Store::new();
    let session = store.demo(&keystone.url(""));
    let begun = Runtime::shared().run(&op, async move { Delegation::begin(&session, &context()).await });
    assert!(begun.is_err_and(|error| error.kind() == Kind::Cancelled));
    drop(answer_now);
    wait_for("deletion by trustor", &told);
}
