//! Image files before they have their name.
//!
//! Where the file system can, such a file has no name at all and vanishes with its process.  Elsewhere
//! it is called `.gs-<host>-<random>.part` and locked; one that nobody locks any more was left behind by
//! a process that was killed, and is removed when a store is opened.  Locks of other hosts cannot always
//! be seen: their files must not have been written to for a day.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, open, openat, renameat2};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, fsync, linkat, unlinkat};

use super::errors::write_error;
use crate::error::Result;

const PREFIX: &str = ".gs-";
const SUFFIX: &str = ".part";

/// How long a file of another host must have been left alone to count as left behind.
const FOREIGN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

pub fn is_staging_name(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A file being written.
pub struct StagedFile {
    pub file: File,
    directory: OwnedFd,
    /// For messages.
    path: PathBuf,
    /// Its provisional name, where it needs one.
    name: Option<String>,
    /// Whether it has its name for good.
    is_published: AtomicBool,
}

impl StagedFile {
    /// Begins a file in `directory`, which will be called `path` in messages.
    pub fn create(directory: &Path, path: PathBuf) -> Result<Self> {
        let failed = |errno| write_error("create", &path, errno);
        let parent = open_to_sync(directory).map_err(failed)?;
        let unnamed = create_unnamed(&parent);
        let (file, name) = match unnamed {
            Ok(file) => (file, None),
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT | Errno::EINVAL) => {
                let (file, name) = create_named(&parent).map_err(failed)?;
                (file, Some(name))
            }
            Err(errno) => return Err(failed(errno)),
        };
        Ok(StagedFile { file, directory: parent, path, name, is_published: AtomicBool::new(false) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the finished file its name for good, unless that name is taken.
    pub fn publish(&self, name: &str) -> Result<()> {
        let published = match &self.name {
            None => self.link_unnamed(name),
            Some(provisional) => self.link_named(provisional, name),
        };
        published.map_err(|errno| write_error("name", &self.path, errno))?;
        self.is_published.store(true, Ordering::SeqCst);
        self.sync_directory().or_else(|error| {
            // Not safe on disk is not stored.
            self.retract(name)?;
            Err(error)
        })
    }

    fn link_unnamed(&self, name: &str) -> nix::Result<()> {
        let own = own_path(&self.file);
        self.linked(name, linkat(AT_FDCWD, &own, &self.directory, name, AtFlags::AT_SYMLINK_FOLLOW))
    }

    /// A network file system that asks twice is told that the name exists: it may be by our first asking.
    fn linked(&self, name: &str, result: nix::Result<()>) -> nix::Result<()> {
        match result {
            Err(Errno::EEXIST) if self.has_name(name) => Ok(()),
            other => other,
        }
    }

    fn link_named(&self, provisional: &str, name: &str) -> nix::Result<()> {
        let link = linkat(&self.directory, provisional, &self.directory, name, AtFlags::empty());
        match self.linked(name, link) {
            Ok(()) => {
                // The image has its name.  Should the other one stay, it is removed as a leftover.
                let _ = unlinkat(&self.directory, provisional, UnlinkatFlags::NoRemoveDir);
                Ok(())
            }
            // No hard links here; this rename does not replace either.
            Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                renameat2(&self.directory, provisional, &self.directory, name, RenameFlags::RENAME_NOREPLACE)
            }
            Err(errno) => Err(errno),
        }
    }

    /// Takes the name back, unless it is another file's by now.
    pub fn retract(&self, name: &str) -> Result<()> {
        if !self.has_name(name) {
            return Ok(());
        }
        unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir)
            .map_err(|errno| write_error("remove", &self.path, errno))?;
        self.sync_directory()
    }

    fn has_name(&self, name: &str) -> bool {
        let (own, named) = (fstat(&self.file), fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW));
        own.is_ok_and(|own| named.is_ok_and(|named| (own.st_dev, own.st_ino) == (named.st_dev, named.st_ino)))
    }

    /// Removes what was not published.
    pub fn discard(&self) -> Result<()> {
        let Some(name) = &self.name else {
            return Ok(());
        };
        match unlinkat(&self.directory, name.as_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(write_error("remove", &self.path, errno)),
        }
    }

    fn sync_directory(&self) -> Result<()> {
        match fsync(&self.directory) {
            // File systems that cannot, and directories that may be searched but not read.
            Ok(()) | Err(Errno::EINVAL | Errno::EBADF | Errno::EROFS | Errno::EOPNOTSUPP) => Ok(()),
            Err(errno) => Err(write_error("sync the directory of", &self.path, errno)),
        }
    }

    /// Whether anything of it can remain without being removed.
    pub fn is_named(&self) -> bool {
        self.name.is_some()
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.is_published.load(Ordering::SeqCst) {
            // The last chance; a leftover otherwise.
            let _ = self.discard();
        }
    }
}

/// A directory opened so that it can be synced, or only searched where reading it is not allowed.
fn open_to_sync(directory: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    match open(directory, flags | OFlag::O_RDONLY, Mode::empty()) {
        Err(Errno::EACCES) => open(directory, flags | OFlag::O_PATH, Mode::empty()),
        other => other,
    }
}

/// The permissions of open(2)'s default, less the umask.
fn default_mode() -> Mode {
    Mode::from_bits_truncate(0o666)
}

fn own_path(file: &File) -> PathBuf {
    format!("/proc/thread-self/fd/{}", file.as_raw_fd()).into()
}

fn create_unnamed(directory: &OwnedFd) -> nix::Result<File> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let file = File::from(openat(directory, ".", flags, default_mode())?);
    // It gets its name through /proc, which a chroot may lack.
    if own_path(&file).symlink_metadata().is_err() { Err(Errno::EOPNOTSUPP) } else { Ok(file) }
}

fn create_named(directory: &OwnedFd) -> nix::Result<(File, String)> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let host = host_mark();
    loop {
        let name = format!("{PREFIX}{host}-{:016x}{SUFFIX}", RandomState::new().build_hasher().finish());
        let file = match openat(directory, name.as_str(), flags, default_mode()) {
            Ok(fd) => File::from(fd),
            Err(Errno::EEXIST) => continue,
            Err(errno) => return Err(errno),
        };
        // Another process may have taken it for a leftover before the lock held.
        let is_taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if !is_taken && fstat(&file)?.st_nlink > 0 {
            return Ok((file, name));
        }
    }
}

/// What tells the files of this host from those of others that share the directory.
fn host_mark() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let identity = read("/etc/machine-id") + &read("/proc/sys/kernel/hostname");
    let hash = identity.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:08x}", hash >> 32)
}

/// Removes what killed processes left in `directory`; returns how many files.
pub fn remove_leftovers(directory: &Path) -> nix::Result<usize> {
    let mut entries =
        Dir::open(directory, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let names: Vec<Vec<u8>> =
        entries.iter().flatten().map(|entry| entry.file_name().to_bytes().to_vec()).collect();
    let leftovers =
        names.iter().filter_map(|name| std::str::from_utf8(name).ok()).filter(|name| is_staging_name(name));
    let own = format!("{PREFIX}{}-", host_mark());
    let mut removed = 0;
    for name in leftovers {
        let patience = if name.starts_with(&own) { Duration::ZERO } else { FOREIGN_AGE };
        // The lock is held until the name is gone.
        if let Some(_locked) = lock_abandoned(&entries, name, patience) {
            let gone = unlinkat(&entries, name, UnlinkatFlags::NoRemoveDir);
            removed += usize::from(gone.is_ok());
        }
    }
    Ok(removed)
}

/// The file, if nobody writes it.
fn lock_abandoned(directory: &Dir, name: &str, patience: Duration) -> Option<File> {
    let open = |access| {
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        openat(directory, name, flags, Mode::empty())
    };
    // Locks of network file systems want a file that may be written to; an image may be read-only.
    let file = File::from(open(OFlag::O_RDWR).or_else(|_| open(OFlag::O_RDONLY)).ok()?);
    let age = file.metadata().ok()?.modified().ok()?.elapsed().unwrap_or_default();
    (age >= patience && file.try_lock().is_ok()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use std::io::Write;
    use std::time::SystemTime;

    fn names_in(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn named(directory: &Path) -> StagedFile {
        let parent = open_to_sync(directory).unwrap();
        let (file, name) = create_named(&parent).unwrap();
        let path = directory.join("id");
        StagedFile { file, directory: parent, path, name: Some(name), is_published: AtomicBool::new(false) }
    }

    /// Leaves a file behind as a killed process does.
    fn leave(staged: StagedFile) {
        staged.is_published.store(true, Ordering::SeqCst);
    }

    #[test]
    fn either_kind_of_file_is_published_once_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let unnamed = StagedFile::create(dir.path(), dir.path().join("id")).unwrap();
        for (mut staged, name) in [(unnamed, "a"), (named(dir.path()), "b")] {
            staged.file.write_all(name.as_bytes()).unwrap();
            staged.publish(name).unwrap();
            staged.discard().unwrap();
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), name);
        }
        assert_eq!(names_in(dir.path()), ["a", "b"]);
    }

    #[test]
    fn a_taken_name_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("id"), "first").unwrap();
        let unnamed = StagedFile::create(dir.path(), dir.path().join("id")).unwrap();
        for staged in [unnamed, named(dir.path())] {
            assert_eq!(staged.publish("id").unwrap_err().kind(), Kind::Duplicate);
            staged.discard().unwrap();
        }
        assert_eq!(names_in(dir.path()), ["id"]);
        assert_eq!(fs::read_to_string(dir.path().join("id")).unwrap(), "first");
    }

    #[test]
    fn what_is_neither_published_nor_discarded_goes_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        drop(named(dir.path()));
        assert!(names_in(dir.path()).is_empty());
    }

    #[test]
    fn a_name_is_taken_back_only_from_the_own_file() {
        let dir = tempfile::tempdir().unwrap();
        let staged = StagedFile::create(dir.path(), dir.path().join("id")).unwrap();
        staged.publish("id").unwrap();
        fs::rename(dir.path().join("id"), dir.path().join("moved")).unwrap();
        fs::write(dir.path().join("id"), "another's").unwrap();
        staged.retract("id").unwrap();
        assert_eq!(names_in(dir.path()), ["id", "moved"]);
        staged.retract("moved").unwrap();
        assert_eq!(names_in(dir.path()), ["id"]);
    }

    #[test]
    fn only_what_nobody_writes_any_more_is_a_leftover() {
        let dir = tempfile::tempdir().unwrap();
        let alive = named(dir.path());
        leave(named(dir.path()));
        fs::write(dir.path().join(".gs-other"), "").unwrap();
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
        assert_eq!(names_in(dir.path()), [alive.name.clone().unwrap(), ".gs-other".into()]);
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 0);
    }

    #[test]
    fn files_of_other_hosts_must_be_a_day_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".gs-00000000-0123456789abcdef.part");
        let file = File::create(&path).unwrap();
        for (age, removed) in [(FOREIGN_AGE - Duration::from_secs(60), 0), (FOREIGN_AGE, 1)] {
            file.set_modified(SystemTime::now() - age).unwrap();
            assert_eq!(remove_leftovers(dir.path()).unwrap(), removed);
        }
    }
}
