//! The `swift` driver: images in OpenStack's object store, laid out as by glance_store.
//!
//! | file | what it knows |
//! |---|---|
//! | `options` `ini` `references` `account` | what a configuration says of accounts and of storing |
//! | `location` `containers` `layout` `leftovers` | the names of things: URIs, containers, segments |
//! | `access` `traced` | who is asked with which right for what a location names |
//! | `storage` | the requests of Swift's API |
//! | `addition` `destination` `whole` `segmented` `manifest` | storing an image |
//! | `delete` `acls` | removing one, and who may see it |
//! | `guarded` `together` | what lasts as long as a transfer, and requests side by side |

mod access;
mod account;
mod acls;
mod addition;
mod containers;
mod delete;
mod destination;
mod guarded;
mod ini;
mod layout;
mod leftovers;
mod location;
mod manifest;
mod options;
mod references;
mod segmented;
mod storage;
mod together;
mod traced;
mod whole;

use std::sync::Arc;

use crate::capabilities::Capabilities;
use crate::config::Options;
use crate::claim::Claims;
use crate::driver::{Acls, Download, Driver, IO_SIZE, Opened, Part, Reader, Registration, StoreContext, Upload};
use crate::error::{Error, Kind, Result};
use crate::http::{self, Client, Image, Manner, RandomAccess};
use crate::location::{Location, StorageUri};
use crate::operation::Operation;
use crate::transfer::{Pool, ReadAhead, Runtime};

use addition::Addition;
use guarded::Guarded;
use access::{Access, Granted, Span, Trust};
use location::{SwiftLocation, Via, parts_of};
use options::Writing;
use references::References;

pub static REGISTRATION: Registration = Registration {
    name: "swift",
    alias: "glance.store.swift.Store",
    schemes: location::SCHEMES,
    options: &[options::OPTIONS, options::CLIENT_OPTIONS],
    open,
};

const CAPABILITIES: Capabilities =
    Capabilities::READ_RANDOM.with(Capabilities::WRITE).with(Capabilities::DRIVER_REUSABLE);

struct SwiftDriver {
    runtime: Arc<Runtime>,
    access: Access,
    manner: Manner,
    /// How much of its image a reader keeps.
    cache_memory: u64,
    /// Whether downloads may outlive the token of a user.
    reads: Span,
    download_retries: u32,
    /// None: the store cannot take images.
    writing: Option<Writing>,
    admin_tenants: Vec<String>,
    under_way: Claims,
}

fn open(context: StoreContext<'_>) -> Result<Opened> {
    let StoreContext { options, runtime, log, default_scheme, .. } = context;
    if options.bool(options::MULTI_TENANT) {
        check_tenants(options, default_scheme)?;
    }
    options::check_buffering(options)?;
    let references = References::load(options, &log)?;
    let writing = prepare_writing(options, &references);
    let add_disabled = writing.as_ref().err().map(|error| error.message().to_owned());
    let client = |settings| Client::new(settings, log.clone());
    let (own, guarded) = (options::settings(options)?.unrestricted(), options::settings(options)?);
    let driver = SwiftDriver {
        access: Access::new(options, runtime.clone(), references, client(own), client(guarded))?,
        manner: options::client(options).manner(),
        cache_memory: options::client(options).cache_memory(),
        reads: if options::resumes_downloads(options) { Span::Long } else { Span::Short },
        writing: writing.ok(),
        admin_tenants: options::admin_tenants(options),
        download_retries: options::download_retries(options),
        under_way: Claims::default(),
        runtime,
    };
    Ok(Opened {
        capabilities: match add_disabled {
            None => CAPABILITIES,
            Some(_) => CAPABILITIES.without(Capabilities::WRITE),
        },
        driver: Box::new(driver),
        add_disabled,
        io_size: IO_SIZE,
    })
}

/// With many tenants a location names the address of an account, never an account of a file.
fn check_tenants(options: &Options, default_scheme: Option<&str>) -> Result<()> {
    if options.str(options::CONFIG_FILE).is_some() {
        let reason = format!("cannot be used together with {}", options::MULTI_TENANT);
        return Err(options.bad(options::CONFIG_FILE, reason));
    }
    match default_scheme == Some(location::CONFIG_SCHEME) {
        true => Err(options.bad(options::MULTI_TENANT, "cannot be used together with default_store = swift+config")),
        false => Ok(()),
    }
}

/// How images are stored, where the configuration says all that it takes.
fn prepare_writing(options: &Options, references: &References) -> Result<Writing> {
    let writing = options::writing(options)?;
    if !options.bool(options::MULTI_TENANT) {
        let account = references.default_account().ok_or_else(|| references.missing_default())?;
        account.identity()?;
    }
    Ok(writing)
}

impl SwiftDriver {
    fn reach(&self, op: &Operation, location: &Location, span: Span) -> Result<(Granted, SwiftLocation)> {
        let parts = parts_of(location)?;
        Ok((self.access.reach(op, &parts.via, span)?, parts))
    }

    fn image(&self, op: &Operation, location: &Location) -> Result<(Image, Option<Trust>)> {
        let (granted, parts) = self.reach(op, location, self.reads)?;
        let target = granted.storage.target(&[&parts.container, &parts.object])?;
        let client = granted.storage.client().persistent(self.download_retries);
        Ok((Image::new(Arc::new(client), target), granted.trust))
    }
}

impl Driver for SwiftDriver {
    fn locate(&self, uri: &StorageUri) -> Result<Location> {
        let location = location::locate(uri)?;
        match parts_of(&location)?.via {
            Via::Reference(name) if self.access.references().named(&name).is_none() => {
                Err(uri.bad(access::unknown_reference(&name).message()))
            }
            _ => Ok(location),
        }
    }

    fn claim(&self, location: &Location) -> Option<usize> {
        let parts = parts_of(location).ok()?;
        let is_usual = self.writing.as_ref().is_some_and(|writing| writing.naming.covers(&parts.container));
        self.access.claims(&parts.via, location.uri(), is_usual)
    }

    fn size(&self, op: &Operation, location: &Location) -> Result<u64> {
        let (granted, parts) = self.reach(op, location, Span::Short)?;
        let SwiftLocation { container, object, .. } = parts;
        self.runtime.run(op, async move { storage::size_of(&granted.storage, &container, &object).await })
    }

    fn open(
        &self,
        op: &Operation,
        location: &Location,
        part: Part,
        pool: &Pool,
    ) -> Result<Box<dyn Download>> {
        let Part { offset, length } = part;
        let (image, trust) = self.image(op, location)?;
        let download = http::Download::open(&self.runtime, op, image, offset, length, self.manner, pool)?;
        Ok(Box::new(Guarded::new(download, trust)))
    }

    fn reader(&self, op: &Operation, location: &Location) -> Result<Box<dyn Reader>> {
        let (image, trust) = self.image(op, location)?;
        let (image, size) =
            self.runtime.run(op, async move { image.probe().await.map(|size| (image, size)) })?;
        let source = RandomAccess { image, limit: self.manner.limit };
        let blocks = ReadAhead::new(self.runtime.clone(), source, size, self.cache_memory);
        Ok(Box::new(Guarded::new(blocks, trust)))
    }

    fn begin(
        &self,
        op: &Operation,
        image_id: &str,
        size: Option<u64>,
        pool: &Pool,
    ) -> Result<Box<dyn Upload>> {
        location::check_image_id(image_id)?;
        match &self.writing {
            Some(writing) => Addition { driver: self, writing, image_id, size }.begin(op, pool),
            None => Err(Error::new(Kind::AddDisabled, "the store is not set up for new images")),
        }
    }

    fn delete(&self, op: &Operation, location: &Location) -> Result<()> {
        let (granted, parts) = self.reach(op, location, Span::Short)?;
        let SwiftLocation { via, container, object } = parts;
        let is_tenants = self.access.is_multi_tenant() && matches!(via, Via::Address(_));
        let made_for = self.writing.as_ref().map(|writing| writing.naming.container_for(&object));
        let owns_container = is_tenants && made_for.is_some_and(|name| name == container);
        let is_being_added = self.under_way.hold(&container, &object);
        let (storage, image) = (granted.storage.clone(), (container.clone(), object.clone()));
        let deleted = self.runtime.run(op, async move {
            let (container, object) = image;
            if is_being_added && storage.look_at(&container, &object).await?.is_none() {
                return Err(storage::not_found(&container, &object));
            }
            delete::delete(&storage, &container, &object).await
        });
        // Also after a killed add, of which there is no image.
        if owns_container && deleted.as_ref().err().is_none_or(|error| error.kind() == Kind::NotFound) {
            let leaving = async move {
                containers::leave_in_peace(&granted.storage, &container, &object).await;
                Ok(())
            };
            // The image is gone, whatever becomes of its container.
            let _ = self.runtime.run(&op.cleanup(), leaving);
        }
        deleted
    }

    fn set_acls(&self, op: &Operation, location: &Location, acls: &Acls) -> Result<()> {
        // Any other container holds images of others as well.
        let is_tenants =
            self.access.is_multi_tenant() && matches!(parts_of(location)?.via, Via::Address(_));
        if !is_tenants {
            let option = options::MULTI_TENANT;
            let message = format!("only images that a store with {option} has added have access lists");
            return Err(Error::new(Kind::NotSupported, message));
        }
        let headers = acls::headers(acls, &self.admin_tenants)?;
        let (granted, parts) = self.reach(op, location, Span::Short)?;
        self.runtime.run(op, async move { granted.storage.describe_container(&parts.container, headers).await })
    }
}
