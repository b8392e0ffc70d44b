//! The beginning of an add: where the image goes, that it is not there yet, and how it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::SwiftDriver;
use super::access::{Granted, Span};
use super::account::Address;
use super::containers;
use super::destination::{Destination, missing_container};
use super::guarded::Guarded;
use super::layout::Plan;
use super::location::{by_address, by_reference};
use super::options::Writing;
use super::segmented::{SegmentedUpload, clear_way};
use super::whole::{HeldUpload, StreamedUpload};
use crate::driver::Upload;
use crate::error::Result;
use crate::location::Location;
use crate::operation::Operation;
use crate::transfer::{Pool, parts_that_fit};

/// An image that is to be stored.
pub struct Addition<'a> {
    pub driver: &'a SwiftDriver,
    pub writing: &'a Writing,
    pub image_id: &'a str,
    /// None: not known.
    pub size: Option<u64>,
}

impl Addition<'_> {
    pub fn begin(&self, op: &Operation, pool: &Pool) -> Result<Box<dyn Upload>> {
        let container = self.writing.naming.container_for(self.image_id);
        containers::check_name(&container)?;
        let claim = self.driver.under_way.take(&container, self.image_id)?;
        let (Granted { storage, trust }, location) = self.place(op, &container)?;
        let destination = Destination::new(storage, container, self.image_id.to_owned());
        let (storage, container) = (destination.storage.clone(), destination.container.clone());
        let makes_container = Arc::new(AtomicBool::new(false));
        let begun = self
            .clear(op, destination, makes_container.clone())
            .and_then(|destination| self.upload(op, destination, location, pool));
        if begun.is_err() && makes_container.load(Ordering::SeqCst) {
            let image_id = self.image_id.to_owned();
            let leaving = async move {
                containers::leave_in_peace(&storage, &container, &image_id).await;
                Ok(())
            };
            // The add has failed for another reason.
            let _ = self.driver.runtime.run(&op.cleanup(), leaving);
        }
        Ok(Box::new(Guarded::new(begun?, (trust, claim))))
    }

    fn upload(
        &self,
        op: &Operation,
        destination: Destination,
        location: Location,
        pool: &Pool,
    ) -> Result<Box<dyn Upload>> {
        let Writing { chunk, parallel, manifest, .. } = self.writing;
        let runtime = self.driver.runtime.clone();
        Ok(match self.small_size() {
            None => {
                let plan = Plan::new(*chunk, *parallel, self.size, pool);
                Box::new(SegmentedUpload::begin(runtime, destination, location, *manifest, plan, pool))
            }
            Some(size) if parts_that_fit(pool, size) > 0 => {
                Box::new(HeldUpload::begin(runtime, destination, location, pool))
            }
            Some(size) => Box::new(StreamedUpload::begin(runtime, op, destination, location, size)?),
        })
    }

    /// The size of an image that is stored in one object.
    fn small_size(&self) -> Option<u64> {
        self.size.filter(|size| *size < self.writing.threshold)
    }

    /// The storage, and the location that the image will have.
    fn place(&self, op: &Operation, container: &str) -> Result<(Granted, Location)> {
        let access = &self.driver.access;
        if access.is_multi_tenant() {
            let span = if self.small_size().is_some() { Span::Short } else { Span::Long };
            let (granted, url) = access.tenant_storage(op, span)?;
            let address = Address::configured(&url.to_uri());
            return Ok((granted, by_address(&address, None, container, self.image_id)));
        }
        let granted = access.default_storage(op)?;
        let references = access.references();
        let account = references.default_account().ok_or_else(|| references.missing_default())?;
        let location = match references.are_from_file() {
            true => by_reference(references.default_name(), container, self.image_id),
            false => by_address(&account.address, account.login(), container, self.image_id),
        };
        Ok((granted, location))
    }

    /// Makes sure that nothing is in the way of the image and that its container exists.
    /// Tells when it begins to make one for this image alone.
    fn clear(
        &self,
        op: &Operation,
        mut destination: Destination,
        makes_container: Arc<AtomicBool>,
    ) -> Result<Destination> {
        let (is_large, manifest) = (self.small_size().is_none(), self.writing.manifest);
        let creates_container = self.writing.creates_container;
        let is_for_tenants = self.driver.access.is_multi_tenant();
        self.driver.runtime.run(op, async move {
            let Destination { storage, container, image_id, .. } = &destination;
            if storage.look_at(container, image_id).await?.is_some() {
                return Err(destination.duplicate(image_id));
            }
            let is_there = match is_large {
                true => clear_way(&destination, manifest).await?.is_some(),
                false => storage.has_container(container).await?,
            };
            match (is_there, creates_container) {
                (true, _) => {}
                (false, true) => {
                    makes_container.store(is_for_tenants, Ordering::SeqCst);
                    storage.create_container(container).await?;
                    destination.owns_container = is_for_tenants;
                }
                (false, false) => return Err(missing_container(container)),
            }
            Ok(destination)
        })
    }
}
