//! Where a new image goes: objects that are written once, and known again as one's own.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::containers;
use super::storage::{Listed, Object, Storage, UPLOAD_ID, etag_of, header, refused, type_for};
use crate::chance;
use crate::error::{Error, Kind, Result};
use crate::hash::Hex;
use crate::http::{Payload, Request};

/// How often an object is sent that the server has stored with another hash than it was sent with.
const ATTEMPTS: usize = 3;

/// How long an add that has failed waits for what it has sent.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// The pauses before it looks again for what it has given up.
const LAST_LOOKS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1500), Duration::from_secs(3)];

/// The place of one new image.
pub struct Destination {
    pub storage: Storage,
    pub container: String,
    pub image_id: String,
    /// Tells the objects of this add from those of another one of the same image.
    upload_id: String,
    /// Whether the container was made for just this image.
    pub owns_container: bool,
    under_way: Mutex<JoinSet<()>>,
}

impl Destination {
    pub fn new(storage: Storage, container: String, image_id: String) -> Self {
        let (upload_id, under_way) = (chance::name(), Mutex::default());
        Destination { storage, container, image_id, upload_id, owns_container: false, under_way }
    }

    /// Stores an object of which the server has none yet; returns the hash that the server has of it.
    ///
    /// It goes on when nobody waits for it any more, until `settle`: a server may store what it has got after
    /// the connection is gone, and after it was looked for in vain.
    pub async fn put(self: &Arc<Self>, name: &str, query: &str, request: Request) -> Result<String> {
        let (destination, name, query) = (self.clone(), name.to_owned(), query.to_owned());
        let (tell, told) = oneshot::channel();
        {
            let mut under_way = self.lock();
            while under_way.try_join_next().is_some() {}
            // Nobody may be interested any more.
            under_way.spawn(async move { drop(tell.send(destination.store(&name, &query, request).await)) });
        }
        told.await.unwrap_or_else(|_| Err(Error::new(Kind::Bug, "a request of an upload was lost")))
    }

    async fn store(&self, name: &str, query: &str, mut request: Request) -> Result<String> {
        request = request.with(IF_NONE_MATCH, HeaderValue::from_static("*")).with(UPLOAD_ID, header(&self.upload_id)?);
        if name != self.image_id {
            request = request.with(CONTENT_TYPE, type_for(&self.upload_id)?);
        }
        let response = self.storage.send(&[&self.container, name], query, request).await?;
        match response.status {
            200..300 => Ok(etag_of(&response.headers)),
            404 => Err(missing_container(&self.container)),
            // The answer to the first attempt may have been lost.
            412 => match self.own(name).await? {
                Some(hash) => Ok(hash),
                None => Err(self.duplicate(name)),
            },
            409 => Err(self.duplicate(name)),
            _ => Err(refused(response, &format!("store {}/{name}", self.container)).await),
        }
    }

    /// Waits a little for what is on its way, and gives up the rest; removes what this add has stored, and again
    /// where something was given up that the server may still store.
    pub async fn clean_up<F>(self: &Arc<Self>, remove: impl Fn(Arc<Self>) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let mut under_way = std::mem::take(&mut *self.lock());
        let ended = async { while under_way.join_next().await.is_some() {} };
        let is_settled = timeout(LAST_PATIENCE, ended).await.is_ok();
        under_way.shutdown().await;
        remove(self.clone()).await?;
        for pause in LAST_LOOKS.iter().filter(|_| !is_settled) {
            sleep(*pause).await;
            remove(self.clone()).await?;
        }
        self.leave().await
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what is held, or becomes so while it is sent; again where the server has got something else.  Returns the
    /// hash, which may become known while it is sent.
    pub async fn put_checked(
        self: &Arc<Self>,
        name: &str,
        payload: Payload,
        md5: impl Future<Output = Result<[u8; 16]>>,
    ) -> Result<String> {
        let put = || self.put(name, "", Request::put(payload.clone()));
        let mut stored = put().await?;
        let md5 = Hex::encode(&md5.await?).to_string();
        for attempt in 1.. {
            if stored.is_empty() || stored == md5 {
                break;
            }
            self.storage.delete(&self.container, name).await?;
            if attempt == ATTEMPTS {
                return Err(self.corrupt(name, &stored, &md5));
            }
            stored = put().await?;
        }
        Ok(md5)
    }

    /// The hash of an object, if it was stored by this add.
    pub async fn own(&self, name: &str) -> Result<Option<String>> {
        let object = self.storage.look_at(&self.container, name).await?;
        Ok(object.filter(|object| self.is_own(object)).map(|object| object.etag))
    }

    pub fn is_own(&self, object: &Object) -> bool {
        object.upload_id.as_ref() == Some(&self.upload_id)
    }

    /// Whether the listing shows it as stored by this add.
    pub fn is_listed_as_own(&self, listed: &Listed) -> bool {
        listed.upload_id.as_ref() == Some(&self.upload_id)
    }

    /// A segment as the listing will show it.
    pub fn listed(&self, name: String, size: u64, hash: String) -> Listed {
        Listed { name, size, hash, upload_id: Some(self.upload_id.clone()) }
    }

    /// Removes an object, if it was stored by this add.
    pub async fn remove_own(&self, name: &str) -> Result<()> {
        if self.own(name).await?.is_some() {
            self.storage.delete(&self.container, name).await?;
        }
        Ok(())
    }

    /// Goes, when all objects of this add are gone.
    async fn leave(&self) -> Result<()> {
        match self.owns_container {
            true => containers::leave(&self.storage, &self.container, &self.image_id).await,
            false => Ok(()),
        }
    }

    pub fn corrupt(&self, name: &str, stored: &str, md5: &str) -> Error {
        let container = &self.container;
        let message = format!("the server has stored {container}/{name} with the MD5 {stored}, but it was sent {md5}");
        Error::new(Kind::Failed, message)
    }

    /// The error of an add that another process has taken for a killed one.
    pub fn cleared(&self) -> Error {
        let Destination { container, image_id, .. } = self;
        let message = format!(
            "another add or a delete of the same image is under way: it has removed segments of {container}/{image_id}"
        );
        Error::new(Kind::Duplicate, message)
    }

    pub fn duplicate(&self, name: &str) -> Error {
        let container = &self.container;
        let message = match name == self.image_id {
            true => format!("there is an image {name:?} in the container {container:?} already"),
            false => format!("another add of the same image is under way: it has stored {container}/{name}"),
        };
        Error::new(Kind::Duplicate, message)
    }
}

pub fn missing_container(container: &str) -> Error {
    let message = format!(
        "the container {container} does not exist in Swift: create it, or set swift_store_create_container_on_put"
    );
    Error::new(Kind::Failed, message).with_http_status(404)
}
