//! Sessions against identity services that do wrong: every case ends in a token or in one clear error, and
//! nobody learns what is not for them.

mod keystone;
mod refusals;
mod sessions;
mod trusts;
mod versions;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::error::{Error, Kind, Result};
use crate::http::tests::server::{self, Server, Then, answer, receive, send};
use crate::http::tests::settings;
use crate::http::{Client, Scheme, Target, Url};
use crate::log::Log;
use crate::operation::{Context, Operation};
use crate::secret::Secret;
use crate::transfer::Runtime;

const PASSWORD: &str = "pass-never-seen";

/// The sessions of a store, and what they logged.
struct Store {
    client: Arc<Client>,
    sessions: Sessions,
    lines: Arc<Mutex<Vec<String>>>,
    /// What is done behind its back ends with it.
    _runtime: Arc<Runtime>,
}

impl Store {
    fn new() -> Self {
        Self::with_margin(60)
    }

    fn with_margin(seconds: u64) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let logged = lines.clone();
        let log = Log::new(5, Box::new(move |_, _, line| logged.lock().unwrap().push(line.to_owned())));
        let client = Arc::new(Client::new(settings(), Arc::new(log)));
        let sessions = Sessions::new(client.clone(), Duration::from_secs(seconds));
        Store { client, sessions, lines, _runtime: Runtime::shared() }
    }

    /// The demo user's session at a Keystone.
    fn demo(&self, auth_url: &str) -> Arc<Session> {
        self.sessions.of(&demo(auth_url))
    }

    /// Asks a service something, and reads away what it says.
    fn ask(&self, session: &Arc<Session>, service: &str) -> Result<u16> {
        let (client, target) = (self.client.clone(), target(session, service));
        run(async move { status(&client, target).await })
    }

    fn logged(&self, words: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }
}

async fn status(client: &Client, target: Target) -> Result<u16> {
    let response = client.send(&target, crate::http::Request::get()).await?;
    let status = response.status;
    response.body.discard().await;
    Ok(status)
}

fn target(session: &Arc<Session>, service: &str) -> Target {
    Target { url: url(service), authorizer: Some(session.clone()) }
}

fn url(text: &str) -> Url {
    let (scheme, rest) = text.split_once("://").unwrap();
    Url::parse(Scheme::named(scheme).unwrap(), rest).unwrap()
}

fn demo(auth_url: &str) -> Identity {
    let domain = || Domain::Id("default".into());
    let password = Password {
        user: "demo".into(),
        user_domain: domain(),
        password: Secret::new(PASSWORD),
        project: "project".into(),
        project_domain: domain(),
    };
    Identity::password(&url(auth_url), password)
}

fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    Runtime::shared().run(&Operation::default(), work)
}

fn object_store() -> Service {
    Service { kind: "object-store".into(), interface: Interface::Public, region: None }
}

/// What Keystone says of a token that is good for so many seconds.
fn about(life: i64) -> Value {
    let end = 1_000_000 + life;
    let time = |seconds: i64| {
        let day = 1 + seconds / 86_400;
        format!(
            "1970-01-{day:02}T{:02}:{:02}:{:02}.000000Z",
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60
        )
    };
    json!({"token": {
        "methods": ["password"],
        "user": {"id": "demo-id", "name": "demo"},
        "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
        "issued_at": time(1_000_000),
        "expires_at": time(end),
        "catalog": [{"type": "object-store", "endpoints": [
            {"interface": "public", "region": "One", "url": "http://storage.example/v1/AUTH_x"}]}],
    }})
}

/// The answer that brings a token.
fn granted(token: &str, life: i64) -> Vec<u8> {
    answer("201 Created", &format!("X-Subject-Token: {token}\r\n"), about(life).to_string().as_bytes())
}

/// A server and what has arrived there.
struct Fake {
    server: Server,
    arrived: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone)]
struct Request {
    head: server::Request,
    body: Vec<u8>,
}

impl Fake {
    /// Answers each request as the script says; an empty answer closes the connection.
    fn start(script: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let arrived = Arc::<Mutex<Vec<Request>>>::default();
        let seen = arrived.clone();
        let server = Server::start(move |head, wire| {
            let request = Request { head: head.clone(), body: receive(head, wire) };
            seen.lock().unwrap().push(request.clone());
            match script(&request) {
                nothing if nothing.is_empty() => Then::Close,
                answer => send(wire, &answer),
            }
        });
        Fake { server, arrived }
    }

    fn answering(answer: Vec<u8>) -> Self {
        Fake::start(move |_| answer.clone())
    }

    /// A Keystone that gives the tokens token-0, token-1, ...
    fn keystone(life: i64) -> Self {
        let count = AtomicUsize::new(0);
        Fake::start(move |_| granted(&format!("token-{}", count.fetch_add(1, Ordering::SeqCst)), life))
    }

    /// A service that takes only one token.
    fn taking(token: &'static str) -> Self {
        Fake::start(move |request| {
            let is_right = request.head.header("x-auth-token") == Some(token);
            answer(if is_right { "204 Fine" } else { "401 No" }, "", b"")
        })
    }

    fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    fn requests(&self) -> Vec<Request> {
        self.arrived.lock().unwrap().clone()
    }

    fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.head.target).collect()
    }

    fn count(&self) -> usize {
        self.requests().len()
    }
}

/// Checks kind and words of an error, that it is one line and holds no secret.
#[track_caller]
fn assert_error(error: &Error, kind: Kind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(words), "{words:?} is not in {error}");
    assert!(!error.message().contains('\n') && !error.message().contains(PASSWORD), "{error}");
}
