//! Checks that no other user can change the files that limpet acts on, or read its secrets.
//!
//! As in sshd (`StrictModes`), every directory of a path is checked: a user who can write to one of
//! them can replace the file, or a directory above it.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use nix::{
    libc::{O_NOFOLLOW, O_NONBLOCK},
    unistd::{Gid, Group, Uid, User},
};

/// Maximum number of symbolic links that are followed, as in the kernel (`path_resolution(7)`).
const MAX_SYMLINKS: usize = 40;

const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_AND_OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// The reason why a file or a directory is refused.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It belongs to another user.
    #[error("{} belongs to {owner}, who could change its content; use a file or directory of your own", path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// Other users can write to it.
    #[error("other users can write to {}; to prevent that, run: chmod go-w {}", path.display(), path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
    },
    /// Other users can read it.
    #[error("other users can read {}; to keep it secret, run: chmod 600 {}", path.display(), path.display())]
    Readable {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory instead of a file.
    #[error("{} is a directory; name a file, for example {}", path.display(), path.join("token").display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// It is a device, a pipe or a socket.
    #[error("{} is not a regular file", path.display())]
    Special {
        /// Its path.
        path: PathBuf,
    },
    /// It cannot be opened or inspected.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl TrustError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Returns the system's error if there is one.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        match self {
            Self::Io { source, .. } => source,
            error => io::Error::other(error),
        }
    }

    /// Reports whether the path does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Checks a directory that limpet reads from and writes to, and the path to it. Returns the path
/// without symbolic links.
///
/// # Errors
/// When it does not exist, or another user (except root) can change its content.
pub fn check_directory(path: &Path) -> Result<PathBuf, TrustError> {
    let resolved = check_path(path)?;
    let metadata = fs::metadata(&resolved).map_err(TrustError::io(path))?;
    if !metadata.is_dir() {
        return Err(TrustError::Io { path: path.to_owned(), source: io::ErrorKind::NotADirectory.into() });
    }
    if !is_ours(&metadata) && metadata.uid() != 0 {
        return Err(TrustError::Owner { path: resolved, owner: owner_name(&metadata) });
    }
    if metadata.mode() & (GROUP_WRITE | OTHERS_WRITE) != 0 {
        return Err(TrustError::Writable { path: resolved });
    }
    Ok(resolved)
}

/// Checks every directory in which a component of `path` is looked up, and every symbolic link on
/// the way. The last component is not checked and need not exist. Returns the path without symbolic
/// links.
///
/// # Errors
/// When a directory of the path does not exist, or another user (except root) can redirect the
/// path.
pub fn check_path(path: &Path) -> Result<PathBuf, TrustError> {
    let absolute = std::path::absolute(path).map_err(TrustError::io(path))?;
    let mut names: VecDeque<OsString> = path_names(&absolute).collect();
    let mut here = PathBuf::from("/");
    let mut symlinks = 0;
    while let Some(name) = names.pop_front() {
        check_parent(&here)?;
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        let metadata = match fs::symlink_metadata(&next) {
            // The caller decides what a missing file means.
            Err(error) if error.kind() == io::ErrorKind::NotFound && names.is_empty() => return Ok(next),
            metadata => metadata.map_err(TrustError::io(&next))?,
        };
        if !metadata.is_symlink() {
            here = next;
            continue;
        }
        if !is_trusted_parent(metadata.uid()) {
            return Err(TrustError::Owner { path: next, owner: owner_name(&metadata) });
        }
        symlinks += 1;
        if symlinks > MAX_SYMLINKS {
            return Err(TrustError::Io { path: next, source: nix::errno::Errno::ELOOP.into() });
        }
        let target = fs::read_link(&next).map_err(TrustError::io(&next))?;
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        for name in path_names(&target).collect::<Vec<_>>().into_iter().rev() {
            names.push_front(name);
        }
    }
    Ok(here)
}

/// Opens a regular file that limpet acts on, without following a symbolic link and without
/// blocking. The caller has checked its directory.
///
/// # Errors
/// When it does not exist, or is not this user's, or another user can write to it.
pub fn open_own(path: &Path) -> Result<File, TrustError> {
    let (file, metadata) = open(path)?;
    if !is_ours(&metadata) {
        return Err(TrustError::Owner { path: path.to_owned(), owner: owner_name(&metadata) });
    }
    Ok(file)
}

/// Opens a file that holds a secret. It may belong to root as well, who then decides who may read
/// it.
///
/// # Errors
/// When it does not exist, or another user can write to it, redirect its path or read it.
pub fn open_secret(path: &Path) -> Result<File, TrustError> {
    let resolved = check_path(path)?;
    let (file, metadata) = open(&resolved)?;
    if !is_ours(&metadata) && metadata.uid() != 0 {
        return Err(TrustError::Owner { path: resolved, owner: owner_name(&metadata) });
    }
    if is_ours(&metadata) && metadata.mode() & GROUP_AND_OTHERS != 0 {
        return Err(TrustError::Readable { path: resolved });
    }
    Ok(file)
}

fn open(path: &Path) -> Result<(File, Metadata), TrustError> {
    let file = File::options().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path);
    let file = file.map_err(TrustError::io(path))?;
    let metadata = file.metadata().map_err(TrustError::io(path))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(TrustError::Directory { path: path.to_owned() });
    }
    if !kind.is_file() || kind.is_fifo() {
        return Err(TrustError::Special { path: path.to_owned() });
    }
    if metadata.mode() & (GROUP_WRITE | OTHERS_WRITE) != 0 {
        return Err(TrustError::Writable { path: path.to_owned() });
    }
    Ok((file, metadata))
}

fn check_parent(directory: &Path) -> Result<(), TrustError> {
    let metadata = fs::symlink_metadata(directory).map_err(TrustError::io(directory))?;
    if !is_trusted_parent(metadata.uid()) {
        return Err(TrustError::Owner { path: directory.to_owned(), owner: owner_name(&metadata) });
    }
    // In a directory with the sticky bit, nobody can rename or remove other people's files.
    let mode = metadata.mode();
    let group = Gid::from_raw(metadata.gid());
    let others_may = mode & OTHERS_WRITE != 0 || (mode & GROUP_WRITE != 0 && !is_private_group(group));
    if mode & STICKY == 0 && others_may {
        return Err(TrustError::Writable { path: directory.to_owned() });
    }
    Ok(())
}

/// Reports whether a parent directory or a symbolic link with this owner is accepted: this user's,
/// root's, and those of the owner of `/`. In a user namespace that owner may be the overflow id, if
/// root is not mapped (`user_namespaces(7)`).
fn is_trusted_parent(owner: u32) -> bool {
    owner == Uid::effective().as_raw()
        || owner == 0
        || fs::metadata("/").is_ok_and(|root| root.uid() == owner)
}

fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == Uid::effective().as_raw()
}

/// Reports whether a group has no member but this user: root's group; the private group of the
/// user, which has the same name (systems with umask 002 have one for each user); and a group
/// without an entry, as in containers.
fn is_private_group(group: Gid) -> bool {
    if group.as_raw() == 0 {
        return true;
    }
    match Group::from_gid(group) {
        Ok(None) => true,
        Ok(Some(group)) => User::from_uid(Uid::effective()).ok().flatten().is_some_and(|user| {
            group.name == user.name
                && user.gid == group.gid
                && group.mem.iter().all(|member| *member == user.name)
        }),
        Err(_) => false,
    }
}

fn owner_name(metadata: &Metadata) -> String {
    let user = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    user.map_or_else(|| format!("user {}", metadata.uid()), |user| user.name)
}

/// Returns the components of a path without `/` and `.`.
fn path_names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt, chown, symlink},
    };

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_of_our_own_is_trusted_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("a")).unwrap();
        symlink("a/../a", real.join("link")).unwrap();
        for way in ["a", "link", "./a/.", "a/../link"] {
            assert_eq!(check_directory(&real.join(way)).unwrap(), real.join("a"), "{way}");
        }
        assert!(check_directory(&real.join("none")).unwrap_err().is_missing());
        symlink("loop", real.join("loop")).unwrap();
        assert!(check_directory(&real.join("loop")).unwrap_err().to_string().contains("symbolic links"));
    }

    #[test]
    fn where_others_can_write_nothing_is_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let (open, inner) = (folder.path().join("open"), folder.path().join("open/inner"));
        fs::create_dir_all(&inner).unwrap();
        set_mode(&open, 0o777);
        let error = check_directory(&inner).unwrap_err().to_string();
        assert!(error.contains("other users can write to") && error.ends_with("/open"), "{error}");
        // Nor is it trusted by way of a link through it.
        symlink(&inner, folder.path().join("link")).unwrap();
        assert!(matches!(check_directory(&folder.path().join("link")), Err(TrustError::Writable { .. })));
        // With the sticky bit, as in /tmp, others cannot replace what is not theirs.
        set_mode(&open, 0o1777);
        assert!(check_directory(&inner).is_ok());
        assert!(
            matches!(check_directory(&open), Err(TrustError::Writable { .. })),
            "but itself it is theirs"
        );
        for mode in [0o757, 0o775] {
            set_mode(&inner, mode);
            assert!(matches!(check_directory(&inner), Err(TrustError::Writable { .. })), "{mode:o}");
        }
    }

    #[test]
    fn files_are_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "text").unwrap();
        set_mode(&file, 0o644);
        assert!(open_own(&file).is_ok());
        let error = open_secret(&file).unwrap_err().to_string();
        assert!(error.contains("can read") && error.contains("chmod 600"), "{error}");
        set_mode(&file, 0o602);
        assert!(matches!(open_own(&file), Err(TrustError::Writable { .. })));
        set_mode(&file, 0o600);
        assert!(open_secret(&file).is_ok());
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        assert!(open_secret(&link).is_ok() && open_own(&link).is_err());
        assert!(matches!(open_secret(folder.path()), Err(TrustError::Directory { .. })));
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(open_own(&pipe), Err(TrustError::Special { .. })), "and nobody is waited for");
    }

    #[test]
    fn what_belongs_to_somebody_else_is_not_trusted() {
        // Only the administrator can give files away.
        if !Uid::effective().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (theirs, file) = (folder.path().join("theirs"), folder.path().join("theirs/file"));
        fs::create_dir(&theirs).unwrap();
        fs::write(&file, "text").unwrap();
        set_mode(&file, 0o600);
        chown(&file, Some(4242), Some(4242)).unwrap();
        for error in [open_own(&file).unwrap_err(), open_secret(&file).unwrap_err()] {
            assert!(error.to_string().contains("belongs to user 4242"), "{error}");
        }
        chown(&file, Some(0), Some(0)).unwrap();
        chown(&theirs, Some(4242), Some(4242)).unwrap();
        for error in [check_directory(&theirs).unwrap_err(), open_secret(&file).unwrap_err()] {
            assert!(matches!(error, TrustError::Owner { .. }), "{error}");
        }
        // A link of another user, in a directory where everybody may create one.
        let link = folder.path().join("sticky/link");
        fs::create_dir(folder.path().join("sticky")).unwrap();
        set_mode(&folder.path().join("sticky"), 0o1777);
        symlink(folder.path(), &link).unwrap();
        assert!(check_directory(&link).is_ok());
        std::os::unix::fs::lchown(&link, Some(4242), Some(4242)).unwrap();
        assert!(matches!(check_directory(&link), Err(TrustError::Owner { .. })));
    }
}
