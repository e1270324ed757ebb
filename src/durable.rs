//! Files that are whole or not there: written beside their target, flushed, renamed, and the folder flushed.
//!
//! Owns the order of those steps, for every file that the tool writes. It never follows a symbolic link at the target
//! (callers decide what a link means) and never knows what is in a file.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of whatever may hold a secret: readable and writable by its owner alone.
pub const PRIVATE: u32 = 0o600;

/// Ends the name of every temporary file, so that one pattern ignores them and finds those that a crash left.
pub const TEMPORARY: &str = ".strongroom-tmp";

/// New content that is on disk beside its target, and not yet in its place. Dropped, it is removed.
pub struct Staged {
    file: tempfile::NamedTempFile,
    target: PathBuf,
}

/// Writes and flushes new content beside its target, which is not touched. What a crash left of an earlier try is removed.
pub fn stage(target: &Path, bytes: &[u8], mode: u32) -> io::Result<Staged> {
    // What cannot be removed is no reason not to write.
    let _ = sweep(target);
    let name = target.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let mut file = loop {
        // Born private: the mode that the target asks for is set only once the content is in.
        let file = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(TEMPORARY)
            .permissions(Permissions::from_mode(PRIVATE))
            .tempfile_in(folder_of(target))?;
        // Held until the file is in its place, so that nobody takes it for what a crash left. Where the system has no
        // locks, nobody removes anything.
        let _ = file.as_file().lock();
        if file.as_file().metadata()?.nlink() > 0 {
            break file;
        }
        // Somebody who sweeps saw it before it was locked.
    };
    file.write_all(bytes)?;
    if mode != PRIVATE {
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
    }
    file.as_file().sync_all()?;
    Ok(Staged { file, target: target.to_owned() })
}

impl Staged {
    /// The staged file, for what must be set before it is in its place (its owner).
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Renames it over the target. After an error the target is what it was.
    pub fn publish(self) -> io::Result<()> {
        self.file.persist(&self.target).map(drop).map_err(|error| error.error)
    }

    /// Gives it its name where nothing has that name yet; `AlreadyExists` where something has.
    pub fn publish_new(self) -> io::Result<()> {
        self.file.persist_noclobber(&self.target).map(drop).map_err(|error| error.error)
    }
}

/// Writes a file whole: after an error or a crash the old content stands, or the new one, never a part.
///
/// An error after the rename (the folder could not be flushed) is reported too; the new content then stands, but a power
/// failure might still bring the old one back.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    stage(path, bytes, mode)?.publish()?;
    flush_folder(folder_of(path))
}

/// Writes a file that must not be there yet; `AlreadyExists` where it is, and then nothing is changed.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    stage(path, bytes, mode)?.publish_new()?;
    flush_folder(folder_of(path))
}

/// Makes a folder and its missing parents, private to the owner; one that is there keeps its mode.
pub fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    create_folder(parent)?;
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        // Made by a process that was quicker, which may not have flushed it yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    flush_folder(parent)
}

/// Flushes a folder, so that a name made or removed in it survives a power failure.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens, and makes if need be, the file whose only use is to be locked.
pub fn lock_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(PRIVATE).open(path)
}

/// Removes the temporary files of `path` that a crash left, which may hold values; not those that a process is writing.
pub fn sweep(path: &Path) -> io::Result<()> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
    let prefix = format!(".{name}.");
    for entry in std::fs::read_dir(folder_of(path))? {
        let entry = entry?;
        let left = entry.file_name();
        let ours = left.to_str().is_some_and(|left| left.starts_with(&prefix) && left.ends_with(TEMPORARY));
        if ours && File::open(entry.path())?.try_lock().is_ok() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The folder that a file is in; `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_content_and_mode_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.age");
        replace(&path, b"one", PRIVATE).unwrap();
        replace(&path, b"two", 0o640).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_there_is_not_created_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.txt");
        create(&path, b"one", PRIVATE).unwrap();
        assert_eq!(create(&path, b"two", PRIVATE).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn sweeping_removes_what_a_crash_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local.age");
        for name in [".local.age.abc.strongroom-tmp", ".prod.age.abc.strongroom-tmp", "local.age"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        sweep(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_another_process_is_writing_is_not_taken_for_what_a_crash_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local.age");
        let (one, two) = (stage(&path, b"one", PRIVATE).unwrap(), stage(&path, b"two", PRIVATE).unwrap());
        one.publish().unwrap();
        two.publish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
    }
}
