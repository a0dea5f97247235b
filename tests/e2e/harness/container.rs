//! A bare container, as far as it matters to limpet, made by unshare(1).

use std::process::Command;

/// Makes the container, and starts in it what comes after.
pub(crate) const WRAPPER: [&str; 13] = [
    "/usr/bin/unshare",
    "--user",
    "--map-user=4242",
    "--map-group=4242",
    "--keep-caps",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "/bin/sh",
    "-c",
    SCRIPT,
];

/// Whoever makes the container may mount; what is started there is its first process, may nothing, and finds in its environment nothing of
/// what has come before.
const SCRIPT: &str = r#"
set -e
/bin/mount -t tmpfs -o mode=1777 tmpfs /tmp
/bin/mount -o remount,bind,ro /
exec /usr/bin/env -u PWD -u OLDPWD -u SHLVL -u _ \
    /usr/bin/setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$0" "$@"
"#;

/// Whether this system lets such a container be made. Some forbid namespaces to ordinary users.
pub(crate) fn is_possible() -> bool {
    let [unshare, rest @ ..] = WRAPPER;
    let made = Command::new(unshare).args(rest).arg("/bin/true").output().unwrap();
    if !made.status.success() {
        eprintln!("no container can be made here: {}", String::from_utf8_lossy(&made.stderr));
    }
    made.status.success()
}
