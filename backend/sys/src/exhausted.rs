//! Describes what the system has run out of, and what to do about it.

use std::{fs, io};

use nix::{
    errno::Errno,
    sys::resource::{RLIM_INFINITY, Resource, getrlimit},
};

/// The kind of resource that the system refused. The same error number has a different meaning for
/// each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A descriptor, or memory of the kernel or of this process.
    Descriptor,
    /// A pseudo-terminal.
    Terminal,
    /// A process.
    Process,
    /// A thread.
    Thread,
    /// Space on a disk.
    DiskSpace,
}

/// Describes the exhausted resource if `error` is about one.
#[must_use]
pub fn describe(error: &io::Error, acquiring: ResourceKind) -> Option<String> {
    let errno = errno(error)?;
    let description = match (errno, acquiring) {
        (Errno::EMFILE | Errno::ETOOMANYREFS, _) => format!(
            "no more open files: limpet's limit is {} (ulimit -n, LimitNOFILE=); close a terminal or raise \
             the limit",
            limit_of(Resource::RLIMIT_NOFILE)
        ),
        (Errno::ENFILE, _) => format!(
            "no more open files: the system's limit is {} (/proc/sys/fs/file-max); end some programs or \
             raise the limit",
            sysctl("fs/file-max").unwrap_or_else(unknown_limit)
        ),
        (Errno::ENOSPC, ResourceKind::Terminal) => format!(
            "no more pseudo-terminals: the system's limit is {} (/proc/sys/kernel/pty/max, or the max= \
             option of the devpts \
             mount); close a terminal or raise the limit",
            terminal_limit().unwrap_or_else(unknown_limit)
        ),
        (Errno::EAGAIN, ResourceKind::Process | ResourceKind::Thread) => format!(
            "no more {}: this user's limit is {} (ulimit -u, TasksMax=, pids.max); end some programs or \
             raise the limit",
            if acquiring == ResourceKind::Thread { "threads" } else { "processes" },
            limit_of(Resource::RLIMIT_NPROC)
        ),
        (Errno::ENOSPC, ResourceKind::DiskSpace) => "the disk is full: free some space".to_owned(),
        (Errno::EDQUOT, ResourceKind::DiskSpace) => "the disk quota is used up: free some space".to_owned(),
        (Errno::ENOSPC, ResourceKind::Descriptor) => {
            "no more file watches: the system's limit is reached (/proc/sys/fs/epoll/max_user_watches), or \
             its memory is full"
                .to_owned()
        }
        (Errno::ENOMEM | Errno::ENOBUFS, _) => "out of memory: end some programs".to_owned(),
        _ => return None,
    };
    Some(description)
}

/// Returns the error number. An error to which somebody has added context retains only its kind.
fn errno(error: &io::Error) -> Option<Errno> {
    let by_kind = || match error.kind() {
        io::ErrorKind::StorageFull => Some(Errno::ENOSPC),
        io::ErrorKind::QuotaExceeded => Some(Errno::EDQUOT),
        io::ErrorKind::OutOfMemory => Some(Errno::ENOMEM),
        _ => None,
    };
    error.raw_os_error().map(Errno::from_raw).or_else(by_kind)
}

/// Describes the exhausted resource if `error` is about one, and otherwise the error itself.
#[must_use]
pub fn describe_any(error: &io::Error, acquiring: ResourceKind) -> String {
    describe(error, acquiring).unwrap_or_else(|| error.to_string())
}

/// Reports whether a later attempt may succeed.
#[must_use]
pub fn is_exhausted(error: &io::Error) -> bool {
    [ResourceKind::Descriptor, ResourceKind::Process]
        .iter()
        .any(|&acquiring| describe(error, acquiring).is_some())
}

fn limit_of(resource: Resource) -> String {
    match getrlimit(resource) {
        Ok((RLIM_INFINITY, _)) => "that of its control group".to_owned(),
        Ok((soft, _)) => soft.to_string(),
        Err(_) => unknown_limit(),
    }
}

fn unknown_limit() -> String {
    "unknown".to_owned()
}

fn sysctl(name: &str) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().to_owned())
}

/// Returns the maximum number of terminals: of the system, or of the file system that this process
/// sees.
fn terminal_limit() -> Option<String> {
    let all = sysctl("kernel/pty/max").and_then(|max| max.parse::<u64>().ok());
    let here = fs::read_to_string("/proc/self/mounts").ok().and_then(|mounts| mount_terminal_limit(&mounts));
    all.into_iter().chain(here).min().map(|max| max.to_string())
}

/// Returns the `max=` option of the terminals' file system from a list of mounts (proc(5)). The
/// last mount at a path hides the others.
fn mount_terminal_limit(mounts: &str) -> Option<u64> {
    let here = mounts.lines().rev().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut here = here.filter(|fields| fields.get(1..3) == Some(&["/dev/pts", "devpts"]));
    here.next()?.get(3)?.split(',').find_map(|option| option.strip_prefix("max=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_number_has_words_for_each_purpose() {
        let words = |errno: Errno, acquiring| describe(&errno.into(), acquiring).unwrap_or_default();
        assert!(
            words(Errno::ENOSPC, ResourceKind::Terminal)
                .starts_with("no more pseudo-terminals: the system's limit is ")
        );
        assert!(words(Errno::ENOSPC, ResourceKind::DiskSpace).starts_with("the disk is full"));
        assert!(words(Errno::EAGAIN, ResourceKind::Process).starts_with("no more processes: "));
        assert!(words(Errno::EAGAIN, ResourceKind::Thread).starts_with("no more threads: "));
        for acquiring in [ResourceKind::Descriptor, ResourceKind::Terminal, ResourceKind::Process] {
            assert!(words(Errno::EMFILE, acquiring).starts_with("no more open files: limpet's limit is "));
            assert!(
                words(Errno::ENFILE, acquiring).starts_with("no more open files: the system's limit is ")
            );
            assert!(words(Errno::ENOMEM, acquiring).starts_with("out of memory"));
        }
        assert_eq!(describe(&Errno::ENOENT.into(), ResourceKind::Process), None);
        assert!(!is_exhausted(&io::ErrorKind::InvalidData.into()) && is_exhausted(&Errno::ENFILE.into()));
    }

    #[test]
    fn the_limit_of_the_mount_that_is_seen_counts() {
        let mounts = "devpts /dev/pts devpts rw,relatime,gid=5,mode=620,ptmxmode=000 0 0\n\
            proc /proc proc rw 0 0\n\
            none /dev/pts devpts rw,relatime,mode=600,ptmxmode=666,max=4 0 0\n";
        assert_eq!(mount_terminal_limit(mounts), Some(4));
        assert_eq!(mount_terminal_limit(mounts.lines().next().unwrap_or_default()), None);
    }
}
