//! The HTTP client that all drivers share: connections kept and made anew, TLS, proxies, redirects,
//! retries; and images over it, read in order or at random, on from where a connection broke.

mod body;
mod client;
mod connect;
mod connection;
mod download;
mod error;
mod idle;
mod image;
mod options;
mod outgoing;
mod payload;
mod policy;
mod proxy;
mod random_access;
mod request;
mod response;
mod retry;
mod sent;
mod tls;
mod url;

pub use client::{Client, Settings};
pub use download::{Download, Manner};
pub use image::Image;
pub(crate) use options::client_options;
pub use options::{ClientOptions, MAX_SECONDS};
pub use payload::{Feed, Framing, Payload};
pub use proxy::Proxies;
pub use random_access::RandomAccess;
pub use request::{Authorizer, BoxFuture, Request, Target};
pub use response::Response;
pub use retry::{Retries, retry_after};
pub use tls::{Tls, Trust};
pub use url::{Origin, Scheme, Url};

#[cfg(test)]
pub mod tests;
