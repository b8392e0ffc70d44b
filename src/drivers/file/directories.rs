//! The directories that a store may touch, and the way to a file in them that no URI and no symbolic
//! link can lead out of.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fstatat};

use super::errors::read_error;
use super::staging::is_staging_name;
use crate::error::{Error, Kind, Result};
use crate::location::shorten;

/// A data directory as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrioritisedDirectory {
    pub path: String,
    pub priority: i64,
}

/// Orders data directories by falling priority, keeping the written order among equals.  The same
/// directory may not have two priorities.
pub fn ordered(
    mut directories: Vec<PrioritisedDirectory>,
) -> std::result::Result<Vec<PrioritisedDirectory>, String> {
    for (index, directory) in directories.iter().enumerate() {
        let twin = directories[..index].iter().find(|other| other.path == directory.path);
        if let Some(twin) = twin
            && twin.priority != directory.priority
        {
            let (path, first, second) = (&directory.path, twin.priority, directory.priority);
            return Err(format!("the directory {path:?} has two priorities, {first} and {second}"));
        }
    }
    let mut seen = BTreeSet::new();
    directories.retain(|directory| seen.insert(directory.path.clone()));
    directories.sort_by_key(|directory| std::cmp::Reverse(directory.priority));
    Ok(directories)
}

/// The directories whose images a store may read and delete.
pub struct Roots(Vec<Root>);

struct Root {
    path: PathBuf,
    /// The names that lead here: as configured, and with symbolic links resolved.
    spellings: Vec<Vec<Vec<u8>>>,
}

/// A file below one of the roots.
#[derive(Clone)]
pub struct Place {
    root: PathBuf,
    /// Names without `..`, at least one.
    below: Vec<Vec<u8>>,
    /// How long the matched root's spelling is.
    pub root_length: usize,
}

impl Roots {
    pub fn new(paths: impl IntoIterator<Item = String>) -> Self {
        let absolute = paths.into_iter().filter(|path| path.starts_with('/'));
        Roots(absolute.map(|path| Root::new(PathBuf::from(path))).collect())
    }

    /// The place that an absolute path names, under the root that holds the most of it.
    pub fn place(&self, path: &str) -> Option<Place> {
        let names = names(path.as_bytes());
        let matches = self.0.iter().flat_map(|root| root.matches(&names));
        matches.max_by_key(|place| place.root_length)
    }

    /// The same, or why the store may not go there.
    pub fn confine(&self, path: &str) -> Result<Place> {
        let place = self.place(path).ok_or_else(|| self.outside(path))?;
        // What is being written is no image yet.
        if place.is_staging() { Err(place.error("open", Errno::ENOENT)) } else { Ok(place) }
    }

    fn outside(&self, path: &str) -> Error {
        let roots: Vec<String> = self.0.iter().map(|root| format!("{:?}", root.path)).collect();
        let (path, roots) = (shorten(path), roots.join(", "));
        Error::new(
            Kind::Forbidden,
            format!(
                "the path {path:?} is outside the store's data directories {roots}; images elsewhere need \
                 filesystem_store_allowed_dirs"
            ),
        )
    }
}

impl Root {
    fn new(path: PathBuf) -> Self {
        let configured = names(path.as_os_str().as_bytes());
        let resolved = fs::canonicalize(&path).map(|path| names(path.as_os_str().as_bytes()));
        let mut spellings = vec![configured];
        spellings.extend(resolved.ok().filter(|resolved| *resolved != spellings[0]));
        Root { path, spellings }
    }

    fn matches(&self, names: &[Vec<u8>]) -> Option<Place> {
        let spelling =
            self.spellings.iter().filter(|spelling| names.starts_with(spelling)).max_by_key(|s| s.len())?;
        let below = names[spelling.len()..].to_vec();
        let is_inside = !below.is_empty() && below.iter().all(|name| name != b"..");
        let root_length = spelling.len();
        is_inside.then(|| Place { root: self.path.clone(), below, root_length })
    }
}

/// The names of a path, without those that change nothing.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|b| *b == b'/').filter(|name| !name.is_empty() && *name != b".").map(<[u8]>::to_vec).collect()
}

impl Place {
    /// Opens the file for reading.  Whatever is not a regular file is refused without waiting for it.
    pub fn open(&self) -> Result<File> {
        let root = open_directory(&self.root)?;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let fd = open_beneath(root.as_fd(), &self.below, flags).map_err(|errno| self.error("open", errno))?;
        let file = File::from(fd);
        let metadata =
            file.metadata().map_err(|error| Error::from_os(Kind::Failed, "cannot stat", &error))?;
        match metadata.is_file() {
            true => Ok(file),
            false => Err(Error::new(Kind::Failed, format!("{:?} is not a regular file", self.path()))
                .with_errno(if metadata.is_dir() { Errno::EISDIR as i32 } else { Errno::EINVAL as i32 })),
        }
    }

    /// The directory that holds the file, and the file's name in it.
    pub fn parent(&self) -> Result<(OwnedFd, &OsStr)> {
        let root = open_directory(&self.root)?;
        let Some((name, parents)) = self.below.split_last() else {
            return Err(self.error("open", Errno::EISDIR));
        };
        let parent = if parents.is_empty() {
            root
        } else {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            open_beneath(root.as_fd(), parents, flags).map_err(|errno| self.error("open", errno))?
        };
        Ok((parent, OsStr::from_bytes(name)))
    }

    fn is_staging(&self) -> bool {
        let name = self.below.last().and_then(|name| std::str::from_utf8(name).ok());
        name.is_some_and(is_staging_name)
    }

    pub fn error(&self, doing: &str, errno: Errno) -> Error {
        read_error(doing, &self.path(), errno)
    }

    pub fn path(&self) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(self.below.iter().map(|name| OsStr::from_bytes(name)));
        path
    }
}

/// Opens a data directory itself.  One that has vanished, perhaps for want of a mount, does not make
/// its images absent.
pub fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).map_err(|errno| {
        Error::from_os(Kind::Failed, format!("cannot open the data directory {path:?}"), &errno.into())
    })
}

/// Opens what `names` lead to below `root`, and nothing else.
fn open_beneath(root: BorrowedFd<'_>, names: &[Vec<u8>], flags: OFlag) -> nix::Result<OwnedFd> {
    let path = names.join(&b'/');
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    // Somebody renamed a directory on the way, or holds a lease on the file: the kernel asks to try again,
    // which helps in the first case only.
    const TRIES: usize = 16;
    let mut tries = (0..TRIES).map(|_| openat2(root, path.as_slice(), how));
    match tries.find(|opened| !matches!(opened, Err(Errno::EAGAIN))) {
        // Linux before 5.6, or a sandbox that does not know the call.
        Some(Err(Errno::ENOSYS | Errno::EPERM)) => walk_beneath(root, names, flags),
        opened => opened.unwrap_or(Err(Errno::EAGAIN)),
    }
}

/// The same step by step, which follows no symbolic link at all.
fn walk_beneath(root: BorrowedFd<'_>, names: &[Vec<u8>], flags: OFlag) -> nix::Result<OwnedFd> {
    let (last, parents) = names.split_last().ok_or(Errno::EISDIR)?;
    let step = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let enter = |at: &OwnedFd, name: &[u8], flags| match openat(at, name, flags, Mode::empty()) {
        // What is no directory may be a link to one.
        Err(Errno::ENOTDIR) if is_link(at, name) => Err(Errno::ELOOP),
        entered => entered,
    };
    let mut at = root.try_clone_to_owned().map_err(|_| Errno::EMFILE)?;
    for name in parents {
        at = enter(&at, name, step)?;
    }
    enter(&at, last, flags | OFlag::O_NOFOLLOW)
}

fn is_link(directory: &OwnedFd, name: &[u8]) -> bool {
    fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFLNK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn place(roots: &[&str], path: &str) -> Option<String> {
        let roots = Roots::new(roots.iter().map(|root| (*root).to_owned()));
        roots.place(path).map(|place| place.path().to_string_lossy().into_owned())
    }

    #[test]
    fn only_paths_below_a_root_have_a_place() {
        for (path, expected) in [
            ("/images/a", Some("/images/a")),
            ("//images//./a", Some("/images/a")),
            ("/images/sub/a", Some("/images/sub/a")),
            ("/images", None),
            ("/images/", None),
            ("/images/../etc/passwd", None),
            ("/images/sub/../a", None),
            ("/imagesother/a", None),
            ("/etc/passwd", None),
            ("images/a", Some("/images/a")),
        ] {
            assert_eq!(place(&["/images"], path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_deepest_root_wins() {
        let roots = Roots::new(["/a".to_owned(), "/a/b".to_owned()]);
        assert_eq!(roots.place("/a/b/c").unwrap().root_length, 2);
        assert_eq!(roots.place("/a/c").unwrap().root_length, 1);
    }

    #[test]
    fn a_root_answers_to_its_resolved_name_too() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        let roots = Roots::new([link.to_string_lossy().into_owned()]);
        for spelling in [&real, &link] {
            assert!(roots.place(&spelling.join("x").to_string_lossy()).is_some());
        }
    }

    #[test]
    fn no_symbolic_link_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        fs::write(root.join("inside"), "x").unwrap();
        symlink("../secret", root.join("relative")).unwrap();
        symlink(dir.path().join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("inside", root.join("within")).unwrap();
        let roots = Roots::new([root.to_string_lossy().into_owned()]);
        let open = |name: &str| roots.place(&format!("{}/{name}", root.display())).unwrap().open();
        open("inside").unwrap();
        open("within").unwrap();
        for name in ["relative", "absolute", "up/secret"] {
            assert_eq!(open(name).unwrap_err().kind(), Kind::Forbidden, "{name}");
        }
        let fd = open_directory(&root).unwrap();
        for name in ["relative", "absolute", "up/secret", "within"] {
            let names = names(name.as_bytes());
            let walked = walk_beneath(fd.as_fd(), &names, OFlag::O_RDONLY);
            assert_eq!(walked.err(), Some(Errno::ELOOP), "{name}");
        }
        walk_beneath(fd.as_fd(), &names(b"inside"), OFlag::O_RDONLY).unwrap();
    }

    #[test]
    fn directories_are_ordered_by_priority() {
        let directory = |path: &str, priority| PrioritisedDirectory { path: path.into(), priority };
        let order = ordered(vec![directory("a", 1), directory("b", 5), directory("a", 1), directory("c", 5)]);
        assert_eq!(order.unwrap(), [directory("b", 5), directory("c", 5), directory("a", 1)]);
        let clash = ordered(vec![directory("a", 1), directory("a", 2)]).unwrap_err();
        assert!(clash.contains("\"a\"") && clash.contains("1 and 2"), "{clash}");
    }
}
