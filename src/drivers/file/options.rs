//! The options of the file driver: glance_store's, and one of our own.

use std::time::Duration;

use crate::config::{OptionKind, OptionSpec, Options};
use crate::error::Result;

use super::directories::PrioritisedDirectory;

const DATADIR: &str = "filesystem_store_datadir";
const DATADIRS: &str = "filesystem_store_datadirs";
const ALLOWED_DIRS: &str = "filesystem_store_allowed_dirs";
const METADATA_FILE: &str = "filesystem_store_metadata_file";
const FILE_PERM: &str = "filesystem_store_file_perm";
const CHUNK_SIZE: &str = "filesystem_store_chunk_size";
const THIN: &str = "filesystem_thin_provisioning";
const TIMEOUT: &str = "filesystem_store_timeout";
const POOL_SIZE: &str = "filesystem_store_thread_pool_size";
const THRESHOLD: &str = "filesystem_store_threadpool_threshold";

pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(DATADIR, OptionKind::Str, "The directory that holds the images")
        .with_default("/var/lib/glance/images"),
    OptionSpec::new(
        DATADIRS,
        OptionKind::MultiStr,
        "Directories that hold the images, each path[:priority]; the highest priority with room is taken",
    ),
    OptionSpec::new(
        ALLOWED_DIRS,
        OptionKind::MultiStr,
        "More directories whose images may be read and deleted, such as former data directories",
    ),
    OptionSpec::new(
        METADATA_FILE,
        OptionKind::Str,
        "A JSON file with the location metadata of one mount point (an object) or of several (an array)",
    ),
    OptionSpec::new(
        FILE_PERM,
        OptionKind::Int { min: None, max: None },
        "The access permissions of image files, decimal digits read as octal; 0 leaves the umask's",
    )
    .with_default("0"),
    OptionSpec::new(
        CHUNK_SIZE,
        OptionKind::Int { min: Some(1), max: None },
        "How many bytes are read and written at a time; taken as at least 1 MiB and at most 8 MiB here",
    )
    .with_default("65536"),
    OptionSpec::new(THIN, OptionKind::Bool, "Whether blocks of zeros become holes").with_default("false"),
    OptionSpec::new(
        TIMEOUT,
        OptionKind::Int { min: Some(0), max: None },
        "Seconds that looking up a size or free space and deleting may take; 0 is for ever",
    )
    .with_default("0"),
    OptionSpec::new(
        POOL_SIZE,
        OptionKind::Int { min: Some(1), max: None },
        "How many calls guarded by the timeout may run at once",
    )
    .with_default("10"),
    OptionSpec::new(
        THRESHOLD,
        OptionKind::Int { min: Some(0), max: Some(100) },
        "The percentage of those calls that being busy is warned of",
    )
    .with_default("75"),
];

const MIN_IO_SIZE: usize = 1 << 20;
const MAX_IO_SIZE: usize = 8 << 20;

/// Bits of the permissions option.
const OWNER_READ: u32 = 0o400;

/// How calls that may hang are guarded.
pub struct Limits {
    pub timeout: Option<Duration>,
    pub slots: usize,
    pub warn_percent: usize,
}

pub fn io_size(options: &Options) -> usize {
    let chunk_size = options.int(CHUNK_SIZE).and_then(|size| usize::try_from(size).ok());
    chunk_size.unwrap_or_default().clamp(MIN_IO_SIZE, MAX_IO_SIZE)
}

pub fn is_thin(options: &Options) -> bool {
    options.bool(THIN)
}

pub fn limits(options: &Options) -> Limits {
    let positive = |name| options.int(name).and_then(|value| u64::try_from(value).ok()).unwrap_or_default();
    Limits {
        timeout: Some(Duration::from_secs(positive(TIMEOUT))).filter(|timeout| !timeout.is_zero()),
        // A blank value is none: then calls still need one to run in.
        slots: positive(POOL_SIZE).max(1) as usize,
        warn_percent: positive(THRESHOLD) as usize,
    }
}

/// The permissions of image files; none leaves them to the umask.
pub fn permissions(options: &Options) -> Result<Option<u32>> {
    let digits = options.int(FILE_PERM).unwrap_or_default();
    if digits <= 0 {
        return Ok(None);
    }
    match u32::from_str_radix(&digits.to_string(), 8) {
        Ok(mode) if mode > 0o7777 => Err(options.bad(FILE_PERM, "is more than the permission bits 7777")),
        Ok(mode) if mode & OWNER_READ == 0 => {
            Err(options
                .bad(FILE_PERM, "must let the owner read, as 400 does, or images could not be read back"))
        }
        Ok(mode) => Ok(Some(mode)),
        Err(_) => Err(options.bad(FILE_PERM, "is not octal: use the digits 0 to 7")),
    }
}

/// The file with the location metadata, if any.
pub fn metadata_file(options: &Options) -> Option<&str> {
    options.str(METADATA_FILE).filter(|path| !path.is_empty())
}

/// A reason for which the metadata file cannot be used.
pub fn bad_metadata_file(options: &Options, reason: impl std::fmt::Display) -> crate::error::Error {
    options.bad(METADATA_FILE, reason)
}

/// More directories that may be read and deleted from.
pub fn allowed_directories(options: &Options) -> Vec<String> {
    options
        .multi(ALLOWED_DIRS)
        .iter()
        .map(|path| path.trim().to_owned())
        .filter(|path| !path.is_empty())
        .collect()
}

/// Every data directory that is named, with nothing checked: images can be read from them even when
/// the store cannot take new ones.  A reserved store has its own default, as glance documents.
pub fn named_directories(options: &Options, reserved_id: Option<&str>) -> Vec<String> {
    let single = single_directory(options, reserved_id);
    let several =
        several_directories(options, reserved_id).iter().map(|entry| split_priority(entry).0.to_owned());
    single.into_iter().chain(several).filter(|path| !path.is_empty()).collect()
}

/// The data directories that new images go to, with their priorities.
pub fn data_directories(options: &Options, reserved_id: Option<&str>) -> Result<Vec<PrioritisedDirectory>> {
    let entries = several_directories(options, reserved_id);
    match (single_directory(options, reserved_id), entries.is_empty()) {
        (Some(path), true) => Ok(vec![PrioritisedDirectory { path, priority: 0 }]),
        (None, false) => entries.iter().map(|entry| prioritised(options, entry)).collect(),
        (Some(_), false) => {
            Err(options
                .bad(DATADIRS, format!("cannot be used together with {DATADIR}: set only one of them")))
        }
        (None, true) => Err(options.bad(DATADIR, format!("set it or {DATADIRS} to where images shall go"))),
    }
}

/// What a reserved store's own group does not set is not for it: it would share a directory.
fn is_for_store(options: &Options, name: &str, reserved_id: Option<&str>) -> bool {
    reserved_id.is_none_or(|id| options.set_in(name) == Some(id))
}

fn several_directories<'a>(options: &'a Options, reserved_id: Option<&str>) -> &'a [String] {
    if is_for_store(options, DATADIRS, reserved_id) { options.multi(DATADIRS) } else { &[] }
}

/// The single data directory, where that form applies: the built-in default does not stand beside
/// directories that were set.
fn single_directory(options: &Options, reserved_id: Option<&str>) -> Option<String> {
    let is_set = options.is_set(DATADIR) && is_for_store(options, DATADIR, reserved_id);
    let path = match reserved_id {
        _ if is_set => options.str(DATADIR).unwrap_or_default(),
        _ if !several_directories(options, reserved_id).is_empty() => return None,
        Some(id) => return Some(format!("/var/lib/glance/{id}")),
        None => options.str(DATADIR).unwrap_or_default(),
    };
    Some(path.trim().to_owned()).filter(|path| !path.is_empty())
}

fn prioritised(options: &Options, entry: &str) -> Result<PrioritisedDirectory> {
    let (path, priority) = split_priority(entry);
    if path.is_empty() {
        return Err(options.bad(DATADIRS, format!("the entry {entry:?} names no directory")));
    }
    // Python reads underscores between digits as nothing.
    let priority = match priority.replace('_', "").as_str() {
        "" => 0,
        digits => digits.parse().map_err(|_| {
            options.bad(DATADIRS, format!("the priority {priority:?} of {path:?} is not a whole number"))
        })?,
    };
    Ok(PrioritisedDirectory { path: path.to_owned(), priority })
}

/// `path[:priority]`, split at the last colon.
fn split_priority(entry: &str) -> (&str, &str) {
    let (path, priority) = entry.rsplit_once(':').unwrap_or((entry, ""));
    (path.trim(), priority.trim())
}
