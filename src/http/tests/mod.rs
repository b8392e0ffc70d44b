//! The client against servers that do wrong: every case ends in the right bytes or in one clear error,
//! and no connection stays open.

mod answers;
mod growing;
mod policies;
mod random;
mod secure;
pub mod server;
mod transfers;
mod uploads;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::connect::Connector;
use super::policy::Policy;
use super::retry::RetryPolicy;
use super::*;
use crate::error::{Error, Kind, Result};
use crate::log::Log;
use crate::operation::Operation;
use crate::transfer::{Piece, Pool, ReadAhead, Runtime, Source};

const TAG: &str = "ETag: \"one\"\r\n";

/// A client with what it needs, and what it logged.
struct Fixture {
    client: Arc<Client>,
    runtime: Arc<Runtime>,
    manner: Manner,
    lines: Arc<Mutex<Vec<String>>>,
}

/// Settings with patience for a busy machine, and without pauses.
pub fn settings() -> Settings {
    let patience = Some(Duration::from_secs(20));
    Settings {
        connector: Connector {
            tls: Tls::new(Trust::System).unwrap(),
            proxies: Proxies::default(),
            policy: Policy::new("http"),
            connect_timeout: patience,
            read_timeout: patience,
        },
        retry: RetryPolicy { retries: 2, pause: Duration::ZERO },
        max_redirects: 5,
        allow_downgrade: false,
        prefix: "http",
    }
}

impl Fixture {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: Settings) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let logged = lines.clone();
        let log = Log::new(5, Box::new(move |_, _, line| logged.lock().unwrap().push(line.to_owned())));
        let manner = Manner { connections: 1, fast: u64::MAX, limit: None };
        Fixture {
            client: Arc::new(Client::new(settings, Arc::new(log))),
            runtime: Runtime::shared(),
            manner,
            lines,
        }
    }

    /// With so little patience that waiting for it is quick.
    fn impatient() -> Self {
        let mut settings = settings();
        settings.connector.read_timeout = Some(Duration::from_millis(30));
        settings.retry.retries = 1;
        Self::with(settings)
    }

    fn image(&self, url: &str) -> Image {
        Image::new(self.client.clone(), target(url))
    }

    fn get(&self, url: &str) -> Result<Vec<u8>> {
        self.get_part(url, 0, None)
    }

    fn get_part(&self, url: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>> {
        self.get_within(&Operation::default(), url, offset, length)
    }

    fn get_within(&self, op: &Operation, url: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>> {
        let pool = Pool::new(op, 1000, 64_000);
        let image = self.image(url);
        let mut download = Download::open(&self.runtime, op, image, offset, length, self.manner, &pool)?;
        let promised = download.length();
        let mut bytes = Vec::new();
        while let Some(piece) = download.next(op)? {
            let Piece::Data(data) = piece else { panic!("a hole") };
            bytes.extend_from_slice(&data);
        }
        assert!(promised.is_none_or(|length| length == bytes.len() as u64), "{promised:?} {}", bytes.len());
        Ok(bytes)
    }

    fn size(&self, url: &str) -> Result<u64> {
        let image = self.image(url);
        self.runtime.run(&Operation::default(), async move { image.measure().await })
    }

    fn reader(&self, url: &str) -> Result<ReadAhead<RandomAccess>> {
        let image = self.image(url);
        let opening = async move { image.probe().await.map(|size| (image, size)) };
        let (image, size) = self.runtime.run(&Operation::default(), opening)?;
        let source = RandomAccess { image, limit: self.manner.limit };
        Ok(ReadAhead::new(self.runtime.clone(), source, size, 1 << 20))
    }

    /// Sends a request; the status and the body of the answer.
    fn send(&self, target: Target, request: Request) -> Result<(u16, Vec<u8>)> {
        let client = self.client.clone();
        self.runtime.run(&Operation::default(), async move {
            let answer = client.send(&target, request).await?;
            Ok((answer.status, answer.body.read_all(1000).await?))
        })
    }

    fn logged(&self, words: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }
}

fn target(url: &str) -> Target {
    let (scheme, rest) = url.split_once("://").unwrap();
    Url::parse(Scheme::named(scheme).unwrap(), rest).unwrap().into()
}

/// Checks kind and words of an error, and that it is one line.
#[track_caller]
fn assert_error(error: Error, kind: Kind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(words), "{words:?} is not in {error}");
    assert!(!error.message().contains('\n'), "{error}");
}
