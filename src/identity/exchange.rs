//! Requests to an identity service.

use http::header::LOCATION;

use super::error::{moved, strange};
use crate::error::{Error, Result};
use crate::http::{Client, Request, Response, Scheme, Target, Url};

/// Services that move a client about more often do not want it.
const MAX_REDIRECTS: usize = 3;

/// Sends what may hold credentials to `address`.  A redirect is followed within the server, or from its
/// http to its https; whoever else it leads to has no right to them.
pub async fn ask(client: &Client, address: &Url, request: impl Fn() -> Request) -> Result<Response> {
    let mut url = address.clone();
    for _ in 0..=MAX_REDIRECTS {
        let request = request().unredirected().confidential();
        let unreachable = |error: Error| error.context(format_args!("the identity service at {address}"));
        let response = client.send(&Target::from(url.clone()), request).await.map_err(unreachable)?;
        let Some(location) = redirect_of(&response) else {
            return Ok(response);
        };
        let next = url.join(location).ok().filter(|next| is_same_service(&url, next));
        url = next.ok_or_else(|| moved(address, location))?;
        response.body.discard().await;
    }
    Err(strange(address, "it sends its clients about in circles"))
}

fn redirect_of(response: &Response) -> Option<&str> {
    match response.status {
        301 | 302 | 307 | 308 => response.headers.get(LOCATION)?.to_str().ok(),
        _ => None,
    }
}

fn is_same_service(from: &Url, to: &Url) -> bool {
    let (from, to) = (from.origin(), to.origin());
    from == to || from.host == to.host && (from.scheme, to.scheme) == (Scheme::Http, Scheme::Https)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::catalogue::parse_url;

    #[test]
    fn only_the_same_host_is_the_same_service() {
        let is_same = |from, to| is_same_service(&parse_url(from).unwrap(), &parse_url(to).unwrap());
        for to in ["http://h:5000/x", "http://H:5000", "https://h:5000", "https://h"] {
            assert!(is_same("http://h:5000/v3", to), "{to}");
        }
        for to in [
            "http://h",
            "http://h:5001",
            "http://i:5000",
            "https://i",
            "https://h.example",
            "http://u@i:5000",
        ] {
            assert!(!is_same("http://h:5000/v3", to), "{to}");
        }
        assert!(!is_same("https://h", "http://h"));
        assert!(!is_same("https://h", "https://h:8443"));
    }
}
