//! Files that other programs read: where a path leads, how the file there is kept, and how a new one takes its place.
//!
//! Owns symbolic links, modes, owners and mount points. A file appears whole by a rename; only where something is mounted
//! on the file itself, which no rename can replace, is it written in place. It never knows what is in a file.

use crate::durable::{self, PRIVATE};
use crate::manifest::Owner;
use nix::unistd::{Group, User};
use std::fmt;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// As many links in a row as the system follows.
const MOST_LINKS: usize = 40;

/// Why a file could not be looked at or written. It names the file; it never holds what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// It, or a link on the way, cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a folder of its name.
    #[error("{} is a folder; Docker makes one where a file that it is to mount is missing: remove it", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// There is a device, a socket or a pipe of its name.
    #[error("{} is not a regular file", .path.display())]
    Special {
        /// What it is.
        path: PathBuf,
    },
    /// Its owner is to be one that does not exist here.
    #[error("there is no {kind} `{name}` on this machine; give its number instead")]
    NoSuchOwner {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// We may not give it to its owner.
    #[error("cannot give {} to {ids}: only root may give a file to another user, or to a group that one is not in", .path.display())]
    Give {
        /// The file.
        path: PathBuf,
        /// The owner.
        ids: Ids,
        /// What the system said.
        source: io::Error,
    },
}

/// Whom a file is to belong to; what is not said is as whoever writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    /// The user's number.
    pub user: Option<u32>,
    /// The group's number.
    pub group: Option<u32>,
}

impl Ids {
    /// Looks up names among this machine's users and groups; numbers are taken as they are.
    pub fn of(owner: &Owner) -> Result<Ids, DeliverError> {
        let user = |name: &str| User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
        let group = |name: &str| Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
        Ok(Ids {
            user: number("user", owner.user.as_deref(), user)?,
            group: number("group", owner.group.as_deref(), group)?,
        })
    }
}

fn number(
    kind: &'static str,
    name: Option<&str>,
    find: impl Fn(&str) -> Option<u32>,
) -> Result<Option<u32>, DeliverError> {
    let Some(name) = name else { return Ok(None) };
    let found = name.parse().ok().or_else(|| find(name));
    found.map(Some).ok_or_else(|| DeliverError::NoSuchOwner { kind, name: name.to_owned() })
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.group) {
            (Some(user), Some(group)) => write!(f, "{user}:{group}"),
            (Some(user), None) => write!(f, "{user}"),
            (None, Some(group)) => write!(f, ":{group}"),
            (None, None) => f.write_str("nobody else"),
        }
    }
}

/// How a file is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub ids: Ids,
}

/// What is at a path now.
#[derive(Debug)]
pub struct Found {
    /// The file itself, behind every symbolic link.
    pub path: PathBuf,
    /// What it holds and how it is kept; nothing where there is no file.
    pub present: Option<Present>,
}

/// A file that is there.
#[derive(Debug)]
pub struct Present {
    /// Its bytes.
    pub content: Zeroizing<Vec<u8>>,
    /// Its permissions.
    pub mode: u32,
    /// The number of its user.
    pub user: u32,
    /// The number of its group.
    pub group: u32,
}

impl Present {
    /// How it is kept otherwise than it should be, for people; empty where nothing is wrong.
    pub fn strays(&self, keeping: &Keeping) -> Vec<String> {
        let mut strays = Vec::new();
        if self.mode != keeping.mode {
            strays.push(format!("mode {:04o}, not {:04o}", self.mode, keeping.mode));
        }
        let Ids { user, group } = keeping.ids;
        if user.is_some_and(|user| user != self.user) || group.is_some_and(|group| group != self.group) {
            strays.push(format!("owner {}:{}, not {}", self.user, self.group, keeping.ids));
        }
        strays
    }
}

/// Looks at a path, through symbolic links; one that leads to nothing is followed to where the file would be.
pub fn find(path: &Path) -> Result<Found, DeliverError> {
    let path = behind_links(path)?;
    let unread = |source| DeliverError::Read { path: path.clone(), source };
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found { path, present: None }),
        Err(error) => return Err(unread(error)),
    };
    if metadata.is_dir() {
        return Err(DeliverError::Folder { path });
    }
    if !metadata.is_file() {
        return Err(DeliverError::Special { path });
    }
    let content = Zeroizing::new(fs::read(&path).map_err(unread)?);
    let present = present(content, &metadata);
    Ok(Found { path, present: Some(present) })
}

fn present(content: Zeroizing<Vec<u8>>, metadata: &Metadata) -> Present {
    Present { content, mode: metadata.mode() & 0o7777, user: metadata.uid(), group: metadata.gid() }
}

fn behind_links(path: &Path) -> Result<PathBuf, DeliverError> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
        if !is_link {
            return Ok(path);
        }
        match fs::read_link(&path) {
            Ok(target) => path = durable::folder_of(&path).join(target),
            Err(source) => return Err(DeliverError::Read { path, source }),
        }
    }
    let source = io::Error::other("too many symbolic links");
    Err(DeliverError::Read { path, source })
}

/// A new file that is on disk beside its target, with its mode and owner.
pub struct Delivery<'a> {
    staged: durable::Staged,
    path: &'a Path,
    bytes: &'a [u8],
    keeping: Keeping,
}

/// How a file came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// By a rename: whole at any moment.
    Renamed,
    /// Over the old content, because something is mounted on the file.
    InPlace,
}

/// Writes a new file beside its target, which is not touched. `path` is one that [`find`] gave; its folder is made where
/// it is missing.
pub fn stage<'a>(path: &'a Path, bytes: &'a [u8], keeping: Keeping) -> Result<Delivery<'a>, DeliverError> {
    let unwritten = |source| DeliverError::Write { path: path.to_owned(), source };
    fs::create_dir_all(durable::folder_of(path)).map_err(unwritten)?;
    let staged = durable::stage(path, bytes, PRIVATE).map_err(unwritten)?;
    keep(staged.file(), path, keeping)?;
    Ok(Delivery { staged, path, bytes, keeping })
}

/// The owner first: until the file is theirs, nobody of the group may read it.
fn keep(file: &File, path: &Path, keeping: Keeping) -> Result<(), DeliverError> {
    let unwritten = |source| DeliverError::Write { path: path.to_owned(), source };
    let Ids { user, group } = keeping.ids;
    let metadata = file.metadata().map_err(unwritten)?;
    let other = |wanted: Option<u32>, is: u32| wanted.filter(|wanted| *wanted != is);
    let (user, group) = (other(user, metadata.uid()), other(group, metadata.gid()));
    if user.is_some() || group.is_some() {
        fchown(file, user, group).map_err(|source| DeliverError::Give {
            path: path.to_owned(),
            ids: keeping.ids,
            source,
        })?;
    }
    if metadata.mode() & 0o7777 != keeping.mode {
        file.set_permissions(Permissions::from_mode(keeping.mode)).map_err(unwritten)?;
    }
    file.sync_all().map_err(unwritten)
}

impl Delivery<'_> {
    /// Puts the file in its place.
    pub fn publish(self) -> Result<Put, DeliverError> {
        let Delivery { staged, path, bytes, keeping } = self;
        let unwritten = |source| DeliverError::Write { path: path.to_owned(), source };
        match staged.publish() {
            Ok(()) => {
                durable::flush_folder(durable::folder_of(path)).map_err(unwritten)?;
                Ok(Put::Renamed)
            }
            Err(error) if is_mounted(&error) => {
                over(path, bytes, keeping)?;
                Ok(Put::InPlace)
            }
            Err(error) => Err(unwritten(error)),
        }
    }
}

/// What the system says where a rename would replace a file that something is mounted on.
fn is_mounted(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices)
}

fn over(path: &Path, bytes: &[u8], keeping: Keeping) -> Result<(), DeliverError> {
    let unwritten = |source| DeliverError::Write { path: path.to_owned(), source };
    let mut file = File::options().write(true).truncate(true).open(path).map_err(unwritten)?;
    keep(&file, path, keeping)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const OURS: Keeping = Keeping { mode: PRIVATE, ids: Ids { user: None, group: None } };

    fn deliver(path: &Path, bytes: &[u8], keeping: Keeping) -> Result<Put, DeliverError> {
        stage(&find(path)?.path, bytes, keeping)?.publish()
    }

    #[test]
    fn links_are_followed_to_the_file_and_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("b", path("a")).unwrap();
        symlink(path("there/c"), path("b")).unwrap();
        assert_eq!(deliver(&path("a"), b"one", OURS).unwrap(), Put::Renamed);
        deliver(&path("a"), b"two", OURS).unwrap();
        assert_eq!(fs::read(path("there/c")).unwrap(), b"two");
        assert!(path("a").is_symlink() && path("b").is_symlink() && !path("there/c").is_symlink());
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(matches!(find(&folder.path().join("a")), Err(DeliverError::Read { .. })));
    }

    #[test]
    fn the_mode_is_exactly_the_one_asked_for_whatever_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for mode in [0o640, 0o600, 0o444] {
            let keeping = Keeping { mode, ..OURS };
            deliver(&path, b"x", keeping).unwrap();
            assert_eq!(find(&path).unwrap().present.unwrap().strays(&keeping), Vec::<String>::new());
        }
        let present = find(&path).unwrap().present.unwrap();
        assert_eq!(present.strays(&OURS), ["mode 0444, not 0600"]);
    }

    #[test]
    fn what_is_written_over_keeps_its_inode_and_loses_its_old_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"a longer text").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        over(&path, b"short", Keeping { mode: 0o640, ..OURS }).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        assert_eq!(find(&path).unwrap().present.unwrap().mode, 0o640);
    }

    #[test]
    fn a_folder_or_a_device_in_the_files_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(find(folder.path()), Err(DeliverError::Folder { .. })));
        assert!(matches!(find(Path::new("/dev/null")), Err(DeliverError::Special { .. })));
    }

    #[test]
    fn owners_are_names_or_numbers() {
        let owner = |user: &str, group: &str| {
            let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
            Ids::of(&Owner { user: given(user), group: given(group) })
        };
        assert_eq!(owner("root", "").unwrap(), Ids { user: Some(0), group: None });
        assert_eq!(owner("1000", "999").unwrap(), Ids { user: Some(1000), group: Some(999) });
        assert!(owner("no-such-user", "").unwrap_err().to_string().contains("no user `no-such-user`"));
    }

    #[test]
    fn a_file_that_is_staged_and_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(stage(&folder.path().join("a"), b"x", OURS).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
