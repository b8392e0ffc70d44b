//! An account of the object store: its containers and objects, and what they say of themselves.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use serde_json::Value;

use super::location::{decoded, quoted};
use crate::error::{Error, Kind, Result};
use crate::http::{Client, Request, Response, Target, Url};

pub const OBJECT_MANIFEST: HeaderName = HeaderName::from_static("x-object-manifest");
const STATIC_LARGE_OBJECT: HeaderName = HeaderName::from_static("x-static-large-object");

/// Tells an add's own objects from those of others of the same name.
pub const UPLOAD_ID: HeaderName = HeaderName::from_static("x-object-meta-glance-store-upload");

/// What precedes the same in the type of a segment.
const UPLOAD_PARAMETER: &str = "glance-store-upload=";

/// How long the answers may be that are read whole: a page of a listing has 10000 names of 1 KiB at most.
const MAX_ANSWER: usize = 64 << 20;

/// More objects than any image has segments: who lists more is not to be believed.
const MAX_LISTED: usize = 2_000_000;

/// An account, with the right to use it.
#[derive(Clone)]
pub struct Storage {
    client: Arc<Client>,
    root: Target,
}

/// How the bytes of an object are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// In the object.
    Plain,
    /// In the objects of a container whose names begin alike.
    Dynamic { container: String, prefix: String },
    /// In those of a list.
    Static,
}

/// What an object says of itself.
#[derive(Debug)]
pub struct Object {
    pub size: Option<u64>,
    /// Without quotes; empty where the server gives none.
    pub etag: String,
    pub layout: Layout,
    /// Which add has stored it, if it was one of ours.
    pub upload_id: Option<String>,
}

/// An object as the listing of its container has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub size: u64,
    pub hash: String,
    /// Which add has stored it, if it was one of ours that says so there.
    pub upload_id: Option<String>,
}

impl Storage {
    pub fn new(client: Arc<Client>, root: Target) -> Self {
        Storage { client, root }
    }

    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// What a request about a container or one of its objects goes to.
    pub fn target(&self, names: &[&str]) -> Result<Target> {
        self.target_with(names, "")
    }

    fn target_with(&self, names: &[&str], query: &str) -> Result<Target> {
        Ok(Target { url: below(&self.root.url, names, query)?, authorizer: self.root.authorizer.clone() })
    }

    /// Something of the server that belongs to no account.
    pub fn origin_url(&self, path: &str) -> Option<Url> {
        self.root.url.join(path).ok()
    }

    pub async fn send(&self, names: &[&str], query: &str, request: Request) -> Result<Response> {
        self.client.send(&self.target_with(names, query)?, request).await
    }

    /// What an object says of itself; none: there is no such object or container.
    pub async fn look_at(&self, container: &str, object: &str) -> Result<Option<Object>> {
        let response = self.send(&[container, object], "", Request::head()).await?;
        match response.status {
            200..300 => Object::read(&response.headers, response.length).map(Some),
            404 => Ok(None),
            _ => Err(refused(response, &format!("look at {container}/{object}")).await),
        }
    }

    /// Stores an object of no bytes, whatever is there, for that upload.
    pub async fn put_empty(&self, container: &str, name: &str, upload_id: &str) -> Result<()> {
        let request = Request::put(Default::default())
            .with(UPLOAD_ID, header(upload_id)?)
            .with(CONTENT_TYPE, type_for(upload_id)?);
        let response = self.send(&[container, name], "", request).await?;
        match response.status {
            200..300 => Ok(()),
            _ => Err(refused(response, &format!("store {container}/{name}")).await),
        }
    }

    /// Deletes an object; false: there was none.
    pub async fn delete(&self, container: &str, object: &str) -> Result<bool> {
        let response = self.send(&[container, object], "", Request::delete()).await?;
        match response.status {
            200..300 => Ok(true),
            404 => Ok(false),
            _ => Err(refused(response, &format!("delete {container}/{object}")).await),
        }
    }

    pub async fn has_container(&self, container: &str) -> Result<bool> {
        let response = self.send(&[container], "", Request::head()).await?;
        match response.status {
            200..300 => Ok(true),
            404 => Ok(false),
            _ => Err(refused(response, &format!("look at the container {container}")).await),
        }
    }

    pub async fn create_container(&self, container: &str) -> Result<()> {
        let response = self.send(&[container], "", Request::put(Default::default())).await?;
        match response.status {
            200..300 => Ok(()),
            _ => Err(refused(response, &format!("create the container {container}")).await),
        }
    }

    /// Deletes a container; false: there is something in it, as far as its listing tells.
    pub async fn delete_container(&self, container: &str) -> Result<bool> {
        let response = self.send(&[container], "", Request::delete()).await?;
        match response.status {
            200..300 | 404 => Ok(true),
            409 => Ok(false),
            _ => Err(refused(response, &format!("delete the container {container}")).await),
        }
    }

    /// Sets headers of a container.
    pub async fn describe_container(&self, container: &str, headers: HeaderMap) -> Result<()> {
        let mut request = Request::post(Default::default()).repeatable();
        request.headers = headers;
        let response = self.send(&[container], "", request).await?;
        match response.status {
            200..300 => Ok(()),
            _ => Err(refused(response, &format!("change the container {container}")).await),
        }
    }

    /// All objects of a container whose names begin so, in their order; none: there is no such container.
    pub async fn list(&self, container: &str, prefix: &str) -> Result<Option<Vec<Listed>>> {
        let mut all: Vec<Listed> = Vec::new();
        loop {
            let marker = all.last().map(|last| quoted(&last.name)).unwrap_or_default();
            let query = format!("?format=json&prefix={}&marker={marker}", quoted(prefix));
            let response = self.send(&[container], &query, Request::get()).await?;
            let page = match response.status {
                200 => read_page(response).await?,
                204 => Vec::new(),
                404 if all.is_empty() => return Ok(None),
                _ => return Err(refused(response, &format!("list the container {container}")).await),
            };
            // How long pages are is the server's to say: only an empty one is the last.
            if page.is_empty() {
                return Ok(Some(all));
            }
            take_page(&mut all, page, prefix, MAX_LISTED)
                .map_err(|reason| Error::new(Kind::Failed, format!("the container {container}: {reason}")))?;
        }
    }
}

impl Object {
    fn read(headers: &HeaderMap, size: Option<u64>) -> Result<Self> {
        let is_static = headers.get(STATIC_LARGE_OBJECT).is_some_and(|is| is.as_bytes().eq_ignore_ascii_case(b"true"));
        let layout = match headers.get(OBJECT_MANIFEST) {
            _ if is_static => Layout::Static,
            Some(manifest) => dynamic(manifest)?,
            None => Layout::Plain,
        };
        let upload_id = headers.get(UPLOAD_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        Ok(Object { size, etag: etag_of(headers), layout, upload_id })
    }
}

/// What a manifest says of where the segments are.
fn dynamic(manifest: &HeaderValue) -> Result<Layout> {
    let text = decoded(&String::from_utf8_lossy(manifest.as_bytes()));
    match text.trim_start_matches('/').split_once('/') {
        Some((container, prefix)) if !container.is_empty() && !prefix.is_empty() => {
            Ok(Layout::Dynamic { container: container.to_owned(), prefix: prefix.to_owned() })
        }
        _ => Err(Error::new(
            Kind::Failed,
            format!("its X-Object-Manifest {text:?} names no container and beginning of names"),
        )),
    }
}

/// The size of an image.  A server does not tell that of one that is made of very many segments.
pub async fn size_of(storage: &Storage, container: &str, object: &str) -> Result<u64> {
    let found = storage.look_at(container, object).await?.ok_or_else(|| not_found(container, object))?;
    match (found.size, found.layout) {
        (Some(size), _) => Ok(size),
        (None, Layout::Dynamic { container, prefix }) => {
            let segments = storage.list(&container, &prefix).await?.unwrap_or_default();
            Ok(segments.iter().map(|segment| segment.size).sum())
        }
        (None, _) => Err(Error::new(Kind::Failed, "the server does not tell the size of the image")),
    }
}

pub fn not_found(container: &str, object: &str) -> Error {
    let message = format!("there is no image {object:?} in the container {container:?}");
    Error::new(Kind::NotFound, message).with_http_status(404)
}

/// The value of `X-Object-Manifest`, which servers decode.
pub fn manifest_value(container: &str, prefix: &str) -> Result<HeaderValue> {
    header(&format!("{}/{}", quoted(container), quoted(prefix)))
}

pub fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text)
        .map_err(|_| Error::new(Kind::Invalid, format!("{text:?} cannot be sent in a header")))
}

/// The hash of an answer, without the quotes that some servers put around it; empty where there is none.
pub fn etag_of(headers: &HeaderMap) -> String {
    let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
    etag.trim_matches('"').to_ascii_lowercase()
}

/// The type of an object that one of our adds has stored beside the image: listings have it.
pub fn type_for(upload_id: &str) -> Result<HeaderValue> {
    header(&format!("application/octet-stream;{UPLOAD_PARAMETER}{upload_id}"))
}

fn upload_of(content_type: &str) -> Option<&str> {
    content_type.split(';').find_map(|parameter| parameter.trim().strip_prefix(UPLOAD_PARAMETER))
}

/// Adds a page of a listing to those before.
fn take_page(
    all: &mut Vec<Listed>,
    page: Vec<Listed>,
    prefix: &str,
    most: usize,
) -> std::result::Result<(), String> {
    let is_next = |listed: &Listed| {
        listed.name.starts_with(prefix) && all.last().is_none_or(|last| last.name < listed.name)
    };
    if !page.iter().all(is_next) {
        return Err("its listing holds what was not asked for".to_owned());
    }
    if all.len() + page.len() > most {
        return Err(format!("more than {most} objects begin with {prefix:?}"));
    }
    all.extend(page);
    Ok(())
}

async fn read_page(response: Response) -> Result<Vec<Listed>> {
    let text = response.body.read_all(MAX_ANSWER).await?;
    let page = serde_json::from_slice(&text).ok().and_then(|page| listed(&page));
    page.ok_or_else(|| Error::new(Kind::Failed, "the server's listing is not the JSON that was asked for"))
}

fn listed(page: &Value) -> Option<Vec<Listed>> {
    let object = |entry: &Value| {
        Some(Listed {
            name: entry["name"].as_str()?.to_owned(),
            size: entry["bytes"].as_u64()?,
            hash: entry["hash"].as_str()?.trim_matches('"').to_ascii_lowercase(),
            upload_id: entry["content_type"].as_str().and_then(upload_of).map(str::to_owned),
        })
    };
    page.as_array()?.iter().map(object).collect()
}

/// The URL of something in an account.
fn below(root: &Url, names: &[&str], query: &str) -> Result<Url> {
    let bad = |reason: &str| Error::new(Kind::Failed, format!("the storage URL {root} cannot be used: {reason}"));
    let base = root.to_uri();
    if base.contains('?') {
        return Err(bad("it has a query"));
    }
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let (_, rest) = base.split_once("://").unwrap_or_default();
    let rest = format!("{}/{}{query}", rest.trim_end_matches('/'), names.join("/"));
    Url::parse(root.origin().scheme, &rest).map_err(bad)
}

/// The error that an answer is.
pub async fn refused(response: Response, doing: &str) -> Error {
    let status = response.status;
    let error = response.into_error().await;
    let kind = match status {
        413 | 507 => Kind::StorageFull,
        498 => Kind::Unavailable,
        _ => error.kind(),
    };
    Error::new(kind, error.message()).with_http_status(status).context(format_args!("cannot {doing}"))
}

#[cfg(test)]
mod tests;
