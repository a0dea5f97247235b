//! A bare container made by unshare(1), as bare as matters to limpet.

use std::process::Command;

/// Command that creates the container and runs the arguments after it inside.
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

/// Script that sets the container up, with the right to mount. The command that it starts is the
/// container's first process, has no privileges, and inherits none of the shell's own environment
/// variables.
const SCRIPT: &str = r#"
set -e
/bin/mount -t tmpfs -o mode=1777 tmpfs /tmp
/bin/mount -o remount,bind,ro /
exec /usr/bin/env -u PWD -u OLDPWD -u SHLVL -u _ \
    /usr/bin/setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$0" "$@"
"#;

/// Reports whether this system allows such a container. Some systems forbid namespaces to ordinary
/// users.
pub(crate) fn is_possible() -> bool {
    let [unshare, rest @ ..] = WRAPPER;
    let made = Command::new(unshare).args(rest).arg("/bin/true").output().unwrap();
    if !made.status.success() {
        eprintln!("cannot create a container here: {}", String::from_utf8_lossy(&made.stderr));
    }
    made.status.success()
}
