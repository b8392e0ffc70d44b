//! The `file` driver: images as files in local or mounted directories, laid out as by glance_store.

mod directories;
mod download;
mod errors;
mod limits;
mod location;
mod metadata;
mod options;
mod staging;
mod upload;

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, UnlinkatFlags, access, unlinkat};

use crate::capabilities::Capabilities;
use crate::config::Options;
use crate::driver::{Download, Driver, Opened, Part, Reader, Registration, StoreContext, Upload};
use crate::error::{Error, Kind, Result};
use crate::location::{Location, StorageUri};
use crate::log::{Level, Log};
use crate::operation::Operation;
use crate::transfer::{Pool, Runtime};

use directories::{Place, PrioritisedDirectory, Roots, ordered};
use download::{FileDownload, FileReader, OpenImage};
use errors::write_error;
use limits::Guard;
use metadata::MetadataFile;
use upload::{FileUpload, Plan};

pub static REGISTRATION: Registration = Registration {
    name: "file",
    alias: "glance.store.filesystem.Store",
    schemes: location::SCHEMES,
    options: &[options::OPTIONS],
    open,
};

const CAPABILITIES: Capabilities =
    Capabilities::READ_RANDOM.with(Capabilities::WRITE).with(Capabilities::DRIVER_REUSABLE);

struct FileDriver {
    runtime: Arc<Runtime>,
    log: Arc<Log>,
    guard: Guard,
    roots: Roots,
    /// None: the store cannot take images.
    target: Option<Arc<Target>>,
}

/// Where new images go, and how.
struct Target {
    /// By falling priority.
    directories: Vec<PrioritisedDirectory>,
    metadata: MetadataFile,
    permissions: Option<u32>,
    thin: bool,
}

fn open(context: StoreContext<'_>) -> Result<Opened> {
    let StoreContext { options, runtime, log, .. } = context;
    let reserved_id = context.is_reserved.then_some(context.id);
    let target = Target::prepare(options, reserved_id, &log);
    let add_disabled = target.as_ref().err().map(|error| error.message().to_owned());
    let named = options::named_directories(options, reserved_id);
    let driver = FileDriver {
        guard: Guard::new(runtime.clone(), log.clone(), options::limits(options)),
        roots: Roots::new(named.into_iter().chain(options::allowed_directories(options))),
        target: target.ok().map(Arc::new),
        runtime,
        log,
    };
    Ok(Opened {
        capabilities: match add_disabled {
            None => CAPABILITIES,
            Some(_) => CAPABILITIES.without(Capabilities::WRITE),
        },
        driver: Box::new(driver),
        add_disabled,
        io_size: options::io_size(options),
    })
}

impl Target {
    fn prepare(options: &Options, reserved_id: Option<&str>, log: &Log) -> Result<Self> {
        let bad = |reason: String| Error::new(Kind::BadConfig, reason);
        let permissions = options::permissions(options)?;
        let directories = ordered(options::data_directories(options, reserved_id)?).map_err(bad)?;
        for directory in &directories {
            prepare_directory(&directory.path, permissions, log)?;
        }
        let metadata = match options::metadata_file(options) {
            Some(path) => {
                MetadataFile::read(path).map_err(|reason| options::bad_metadata_file(options, reason))?
            }
            None => MetadataFile::default(),
        };
        Ok(Target { directories, metadata, permissions, thin: options::is_thin(options) })
    }

    /// The directory for an image of `size`: with several, the one with the most room among those of
    /// the highest priority that has any with enough.
    fn directory_for(&self, size: u64) -> Result<&str> {
        let [first, others @ ..] = self.directories.as_slice() else {
            return Err(Error::new(Kind::AddDisabled, "the store has no data directory"));
        };
        if others.is_empty() {
            return Ok(&first.path);
        }
        choose_directory(&self.directories, size, free_bytes).ok_or_else(|| {
            let names: Vec<&str> = self.directories.iter().map(|directory| directory.path.as_str()).collect();
            Error::new(
                Kind::StorageFull,
                format!("no data directory has {size} bytes free: {}", names.join(", ")),
            )
        })
    }
}

/// Directories come by falling priority.
fn choose_directory(
    directories: &[PrioritisedDirectory],
    size: u64,
    free_bytes: impl Fn(&str) -> u64,
) -> Option<&str> {
    let with_room = directories.iter().filter_map(|directory| {
        let free = free_bytes(&directory.path);
        (free > 0 && free >= size).then_some((directory.priority, free, directory))
    });
    // The first written of equals, so a later one must be better.
    let better =
        |best: (i64, u64, &'_ PrioritisedDirectory), next: (i64, u64, _)| best.0 == next.0 && next.1 > best.1;
    with_room
        .reduce(|best, next| if better(best, next) { next } else { best })
        .map(|(_, _, d)| d.path.as_str())
}

fn free_bytes(directory: &str) -> u64 {
    // A directory that cannot be asked has no room.
    statvfs(directory).map_or(0, |fs| fs.blocks_available().saturating_mul(fs.fragment_size()))
}

/// Makes a data directory exist, be writable, passable for those that may read the images, and clean.
fn prepare_directory(path: &str, permissions: Option<u32>, log: &Log) -> Result<()> {
    let bad = |reason: String| Error::new(Kind::BadConfig, format!("the data directory {path:?} {reason}"));
    if let Some(oddity) = location::directory_oddity(path) {
        return Err(bad(oddity.to_owned()));
    }
    DirBuilder::new()
        .recursive(true)
        .create(path)
        .map_err(|error| bad(format!("cannot be created: {error}")))?;
    let needed = AccessFlags::W_OK | AccessFlags::X_OK;
    access(path, needed).map_err(|errno| bad(format!("is not writable: {}", errno.desc())))?;
    if let Err(error) = let_readers_pass(path, permissions.unwrap_or_default()) {
        log.write(Level::Warn, "file", format_args!("cannot let readers pass {path:?}: {error}"));
    }
    match staging::remove_leftovers(Path::new(path)) {
        Ok(0) => {}
        Ok(count) => {
            log.write(Level::Info, "file", format_args!("removed {count} unfinished files in {path:?}"))
        }
        Err(errno) => {
            log.write(
                Level::Warn,
                "file",
                format_args!("cannot look for unfinished files in {path:?}: {errno}"),
            );
        }
    }
    Ok(())
}

/// Whoever may read the image files by `permissions` must be able to reach them.
fn let_readers_pass(path: &str, permissions: u32) -> std::io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    let group = if permissions & 0o070 != 0 { 0o010 } else { 0 };
    let others = if permissions & 0o007 != 0 { 0o001 } else { 0 };
    let wanted = mode | group | others;
    if wanted == mode { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(wanted)) }
}

impl FileDriver {
    fn place(&self, location: &Location) -> Result<Place> {
        self.roots.confine(location::path_of(location))
    }

    fn open_image(&self, op: &Operation, location: &Location) -> Result<(OpenImage, u64)> {
        let place = self.place(location)?;
        self.guard.run(op, "opening the image", move || {
            let image = OpenImage { file: place.open()?, path: place.path() };
            let size = image.size()?;
            Ok((image, size))
        })
    }
}

impl Target {
    /// An image may lie in any data directory, also in one that it would not go to now.
    fn check_not_stored(&self, image_id: &str) -> Result<()> {
        let paths = self.directories.iter().map(|directory| PathBuf::from(&directory.path).join(image_id));
        for path in paths {
            match path.symlink_metadata() {
                Ok(_) => return Err(write_error("store", &path, Errno::EEXIST)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(write_error("look for", &path, errors::errno_of(&error))),
            }
        }
        Ok(())
    }
}

impl Driver for FileDriver {
    fn locate(&self, uri: &StorageUri) -> Result<Location> {
        location::locate(uri)
    }

    fn claim(&self, location: &Location) -> Option<usize> {
        self.roots.place(location::path_of(location)).map(|place| place.root_length)
    }

    fn size(&self, op: &Operation, location: &Location) -> Result<u64> {
        self.open_image(op, location).map(|(_, size)| size)
    }

    fn open(
        &self,
        op: &Operation,
        location: &Location,
        part: Part,
        pool: &Pool,
    ) -> Result<Box<dyn Download>> {
        let (image, size) = self.open_image(op, location)?;
        Ok(Box::new(FileDownload::new(self.runtime.clone(), pool.clone(), image, part.of(size))))
    }

    fn reader(&self, op: &Operation, location: &Location) -> Result<Box<dyn Reader>> {
        let (image, _) = self.open_image(op, location)?;
        Ok(Box::new(FileReader::new(image)?))
    }

    fn begin(
        &self,
        op: &Operation,
        image_id: &str,
        size: Option<u64>,
        _pool: &Pool,
    ) -> Result<Box<dyn Upload>> {
        location::check_image_id(image_id)?;
        let target =
            self.target.as_ref().ok_or_else(|| Error::new(Kind::AddDisabled, "no data directory"))?;
        let (asked, id) = (target.clone(), image_id.to_owned());
        let directory = self.guard.run(op, "looking for room", move || {
            let directory = asked.directory_for(size.unwrap_or(0))?.to_owned();
            asked.check_not_stored(&id).map(|()| directory)
        })?;
        let location = location::location_in(&directory, image_id);
        let metadata = target.metadata.of(location::path_of(&location)).cloned().unwrap_or_default();
        let plan = Plan {
            directory: directory.into(),
            image_id: image_id.to_owned(),
            location,
            metadata,
            thin: target.thin,
            permissions: target.permissions,
        };
        Ok(Box::new(FileUpload::begin(self.runtime.clone(), self.log.clone(), op, plan)?))
    }

    fn delete(&self, op: &Operation, location: &Location) -> Result<()> {
        let place = self.place(location)?;
        self.guard.run(op, "deleting the image", move || {
            let (parent, name) = place.parent()?;
            unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir).map_err(|errno| match errno {
                Errno::ENOENT | Errno::ETIMEDOUT => place.error("delete", errno),
                _ => Error::from_os(
                    Kind::Forbidden,
                    format!("cannot delete {:?}", place.path()),
                    &errno.into(),
                ),
            })
        })
    }
}

#[cfg(test)]
mod tests;
