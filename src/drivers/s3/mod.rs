//! The `s3` driver: images as objects in a bucket of any server that speaks S3.

mod begin;
mod bucket;
mod checksum;
mod chunks;
mod copy;
mod credentials;
mod download;
mod endpoint;
mod errors;
mod location;
mod multipart;
mod object;
mod options;
mod parts;
mod plan;
mod service;
mod settings;
mod signer;
mod signing;
mod streamed;
mod time;
mod upload;
mod whereabouts;
mod xml;

use std::any::Any;
use std::sync::Arc;

use crate::capabilities::Capabilities;
use crate::claim::Claims;
use crate::driver::{Download, Driver, IO_SIZE, Opened, Part, Reader, Registration, StoreContext, Upload};
use crate::error::{Error, Kind, Result};
use crate::http::{Client, Manner, RandomAccess, Scheme};
use crate::location::{Location, StorageUri, shorten};
use crate::operation::Operation;
use crate::transfer::{Pool, ReadAhead, Runtime};
use copy::S3Copy;
use credentials::{Credentials, KeySource, Keys};
use endpoint::Endpoint;
use location::Place;
use object::Object;
use plan::Plan;
use service::{Head, Service};
use settings::{Access, Adding};
use signer::{Clock, Signer};
use upload::S3Upload;
use whereabouts::Whereabouts;

pub static REGISTRATION: Registration = Registration {
    name: "s3",
    alias: "glance.store.s3.Store",
    schemes: location::SCHEMES,
    options: &[options::OPTIONS, options::CLIENT_OPTIONS],
    open,
};

struct S3Driver {
    client: Arc<Client>,
    /// For the hosts of locations, which the configuration may restrict.
    elsewhere: Arc<Client>,
    access: Access,
    /// None where no images can be added.
    adding: Option<Adding>,
    manner: Manner,
    /// How much of its image a reader keeps.
    cache_memory: u64,
    clock: Arc<Clock>,
    /// Where the store's own bucket is.
    home: Option<Arc<Whereabouts>>,
    /// Swift's S3 API, for one, takes several adds of one key at a time.
    under_way: Claims,
    runtime: Arc<Runtime>,
}

fn open(context: StoreContext<'_>) -> Result<Opened> {
    let StoreContext { options, runtime, log, .. } = context;
    let access = settings::access(options)?;
    let (adding, add_disabled) = match settings::adding(options, &access) {
        Ok(adding) => (Some(adding), None),
        Err(reason) => (None, Some(reason)),
    };
    let all = Capabilities::READ_RANDOM.with(Capabilities::WRITE).with(Capabilities::DRIVER_REUSABLE);
    let capabilities = if adding.is_some() { all } else { all.without(Capabilities::WRITE) };
    let home = access.endpoint.clone().map(|home| Arc::new(Whereabouts::new(home, &access.region)));
    let driver = S3Driver {
        client: Arc::new(Client::new(settings::client(options)?.unrestricted(), log.clone())),
        elsewhere: Arc::new(Client::new(settings::client(options)?, log)),
        access,
        adding,
        manner: settings::common(options).manner(),
        cache_memory: settings::common(options).cache_memory(),
        clock: Arc::default(),
        home,
        under_way: Claims::default(),
        runtime,
    };
    Ok(Opened { driver: Box::new(driver), capabilities, add_disabled, io_size: IO_SIZE })
}

impl S3Driver {
    fn endpoint(&self) -> Result<&Endpoint> {
        let missing = || Error::new(Kind::BadConfig, "s3_store_host is not set");
        self.access.endpoint.as_ref().ok_or_else(missing)
    }

    /// The service that has an image.  It is the configured one, whatever host a location names, unless
    /// the configuration says that others are asked themselves.
    fn service(&self, place: &Place) -> Result<Arc<Service>> {
        let Access { addressing, goes_elsewhere, .. } = &self.access;
        let Some(keys) = &place.keys else {
            let credentials = self.own_credentials_for(&place.bucket)?;
            return Ok(self.service_of(self.endpoint()?, &place.bucket, credentials));
        };
        let credentials = Credentials::of(&KeySource::Given(keys.clone()))?;
        let is_here = |home: &Endpoint| home.is(place.transport(), &place.service);
        if !goes_elsewhere || self.access.endpoint.as_ref().is_some_and(is_here) {
            return Ok(self.service_of(self.endpoint()?, &place.bucket, credentials));
        }
        let endpoint = Endpoint::new(place.transport(), &place.service, *addressing)
            .map_err(|reason| Error::new(Kind::BadUri, reason))?;
        let region = endpoint.region().unwrap_or_else(|| self.access.region.clone());
        let whereabouts = Arc::new(Whereabouts::new(endpoint, &region));
        Ok(self.ask_through(&self.elsewhere, whereabouts, &place.bucket, credentials))
    }

    /// The store's own keys open its own buckets, and no others that they could open.
    fn own_credentials_for(&self, bucket: &str) -> Result<Credentials> {
        let Access { bucket: own, allowed_buckets, keys, .. } = &self.access;
        if own.as_deref() == Some(bucket) || allowed_buckets.iter().any(|allowed| allowed == bucket) {
            return Credentials::of(keys);
        }
        let message = format!(
            "the bucket {:?} is neither the store's nor one of s3_store_allowed_buckets",
            shorten(bucket)
        );
        Err(Error::new(Kind::Forbidden, message))
    }

    fn service_of(&self, endpoint: &Endpoint, bucket: &str, credentials: Credentials) -> Arc<Service> {
        let is_home = self.access.bucket.as_deref() == Some(bucket);
        let known = self.home.clone().filter(|_| is_home);
        let unknown = || Arc::new(Whereabouts::new(endpoint.clone(), &self.access.region));
        self.ask_through(&self.client, known.unwrap_or_else(unknown), bucket, credentials)
    }

    fn ask_through(
        &self,
        client: &Arc<Client>,
        whereabouts: Arc<Whereabouts>,
        bucket: &str,
        credentials: Credentials,
    ) -> Arc<Service> {
        let signer = Signer {
            credentials,
            whereabouts: whereabouts.clone(),
            clock: self.clock.clone(),
            payload_signing: self.access.payload_signing,
            asks_checksum: self.access.asks_checksum,
        };
        let (client, signer, bucket) = (client.clone(), Arc::new(signer), bucket.to_owned());
        Arc::new(Service { client, signer, whereabouts, bucket })
    }

    fn adding(&self) -> Result<&Adding> {
        let disabled = || Error::new(Kind::AddDisabled, "the store is not configured for that");
        self.adding.as_ref().ok_or_else(disabled)
    }

    /// An object for a new image: its bucket is there, and it is not.
    fn begin_object(&self, op: &Operation, image_id: &str) -> Result<Object> {
        location::check_image_id(image_id)?;
        let (adding, endpoint) = (self.adding()?, self.endpoint()?);
        let bucket = self.access.bucket.as_deref().unwrap_or_default();
        let claim = self.under_way.take(bucket, image_id)?;
        let credentials = Credentials::of(&self.access.keys)?;
        let location = self.location_of(endpoint, bucket, image_id, &credentials.now());
        let service = self.service_of(endpoint, bucket, credentials);
        let object = Object::new(service, image_id, &adding.attributes, adding.checks, location, claim)?;
        let (missing, stale_age) = (adding.missing_bucket.clone(), adding.stale_age);
        self.runtime.run(op, async move {
            bucket::ensure(&object.service, &missing).await?;
            object.check_absent().await?;
            if let Some(age) = stale_age {
                multipart::abort_stale(&object.service, &object.key, age).await?;
            }
            Ok(object)
        })
    }

    /// Whether the server of this store has an image of `from`, and our keys open it there.
    fn can_copy(&self, from: &S3Driver, source: &Place) -> bool {
        let (Some(here), Some(there)) = (&self.access.endpoint, &from.access.endpoint) else {
            return false;
        };
        let Ok(ours) = self.access.keys.keys() else {
            return false;
        };
        let theirs = source.keys.clone().or_else(|| from.access.keys.keys().ok());
        let is_same_service = here.scheme() == there.scheme() && there.is(here.scheme(), &here.service());
        is_same_service && !from.access.goes_elsewhere && theirs.is_some_and(|theirs| ours.are(&theirs))
    }

    /// The location of an image that is added.
    fn location_of(&self, endpoint: &Endpoint, bucket: &str, image_id: &str, keys: &Keys) -> Location {
        // As the Python glance_store names them.
        let scheme = match endpoint.scheme() {
            Scheme::Https => "s3+https",
            Scheme::Http => "s3",
        };
        let keys = self.access.keys_in_location.then(|| keys.clone());
        Place::new(scheme, keys, &endpoint.service(), bucket, image_id).location()
    }
}

/// The service answered that it has no such object.
fn not_found(service: &Service, key: &str) -> Error {
    let (bucket, key) = (&service.bucket, shorten(key));
    Error::new(Kind::NotFound, format!("the bucket {bucket:?} has no object {key:?}")).with_http_status(404)
}

async fn head_of(service: &Service, key: &str) -> Result<Head> {
    let head = service.head(key).await?;
    head.ok_or_else(|| not_found(service, key))
}

async fn size_of(service: &Service, key: &str) -> Result<u64> {
    head_of(service, key).await?.size()
}

impl Driver for S3Driver {
    fn locate(&self, uri: &StorageUri) -> Result<Location> {
        Ok(Place::parse(uri)?.location())
    }

    fn claim(&self, location: &Location) -> Option<usize> {
        let place = Place::of(location).ok()?;
        let endpoint = self.access.endpoint.as_ref()?;
        if !endpoint.is(place.transport(), &place.service) {
            return None;
        }
        let is_own = self.access.bucket.as_deref() == Some(&place.bucket);
        let is_allowed = self.access.allowed_buckets.contains(&place.bucket);
        match (is_own, is_allowed || place.keys.is_some()) {
            (true, _) => Some(place.service.len() + place.bucket.len()),
            (false, true) => Some(place.service.len()),
            (false, false) => None,
        }
    }

    fn size(&self, op: &Operation, location: &Location) -> Result<u64> {
        let place = Place::of(location)?;
        let service = self.service(&place)?;
        self.runtime.run(op, async move { size_of(&service, &place.key).await })
    }

    fn open(
        &self,
        op: &Operation,
        location: &Location,
        part: Part,
        pool: &Pool,
    ) -> Result<Box<dyn Download>> {
        let place = Place::of(location)?;
        let service = self.service(&place)?;
        download::open(&self.runtime, op, service, place.key, part, self.manner, pool)
    }

    fn reader(&self, op: &Operation, location: &Location) -> Result<Box<dyn Reader>> {
        let place = Place::of(location)?;
        let service = self.service(&place)?;
        let (image, size) = self.runtime.run(op, async move {
            size_of(&service, &place.key).await?;
            let image = service.image(&place.key)?;
            let size = image.probe().await?;
            Ok((image, size))
        })?;
        let source = RandomAccess { image, limit: self.manner.limit };
        Ok(Box::new(ReadAhead::new(self.runtime.clone(), source, size, self.cache_memory)))
    }

    fn begin(
        &self,
        op: &Operation,
        image_id: &str,
        size: Option<u64>,
        pool: &Pool,
    ) -> Result<Box<dyn Upload>> {
        let plan = Plan::new(self.adding()?.sizes, size, pool)?;
        let mut object = self.begin_object(op, image_id)?;
        if plan.streamed_size.is_some() {
            object.checks = object.checks.of_streams();
        }
        Ok(Box::new(S3Upload::new(&self.runtime, object, plan, pool)))
    }

    fn begin_copy(
        &self,
        op: &Operation,
        image_id: &str,
        from: &dyn Driver,
        location: &Location,
        _pool: &Pool,
    ) -> Result<Option<(Box<dyn Upload>, u64)>> {
        let from: &dyn Any = from;
        let source = Place::of(location)?;
        let is_here = |from: &S3Driver| self.can_copy(from, &source);
        let Some(from) = from.downcast_ref::<S3Driver>().filter(|from| is_here(from)) else {
            return Ok(None);
        };
        let service = from.service(&source)?;
        let source = self.runtime.run(op, async move {
            let head = head_of(&service, &source.key).await?;
            Ok(copy::Source { service, key: source.key, size: head.size()?, head })
        })?;
        let size = source.size;
        let object = self.begin_object(op, image_id)?;
        Ok(Some((Box::new(S3Copy::new(&self.runtime, object, source)), size)))
    }

    fn delete(&self, op: &Operation, location: &Location) -> Result<()> {
        let place = Place::of(location)?;
        let service = self.service(&place)?;
        self.runtime.run(op, async move {
            // A delete of nothing succeeds.
            size_of(&service, &place.key).await?;
            Ok(service.delete(&place.key, None).await?)
        })
    }
}
