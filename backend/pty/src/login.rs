//! Variables that login(1) sets for a program: home, name, shell, path and language.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, Uid, User, eaccess};

use super::{check_enterable, spawn::SHELLS};

/// The default `PATH`, as in shadow's `login.defs` (`ENV_PATH`).
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The default `PATH` of root (`ENV_SUPATH`).
const DEFAULT_ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The default locale. Every system has it, and its character set is UTF-8.
const DEFAULT_LANG: &str = "C.UTF-8";

/// Shells that are tried for a user without one, the most comfortable first. The shells of
/// `/etc/shells` are tried before the last two.
const FALLBACK_SHELLS: [&str; 5] =
    ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/bin/sh", "/busybox/sh"];

/// Number of fallback shells that are tried before those of `/etc/shells`.
const PREFERRED_SHELL_COUNT: usize = 3;

/// Names of programs that a user database lists instead of a shell to prevent a login, or to
/// restrict the user to one purpose.
const NON_SHELLS: [&str; 12] = [
    "false",
    "git-shell",
    "halt",
    "nologin",
    "poweroff",
    "reboot",
    "rssh",
    "scponly",
    "scponlyc",
    "shutdown",
    "sync",
    "true",
];

/// The user that limpet runs as, and the variables that programs get for this user.
#[derive(Clone, Debug, Default)]
pub struct Login {
    home: PathBuf,
    /// Variables that are missing or empty in the environment of this process.
    missing: Vec<(&'static str, OsString)>,
    /// The preferred shells: first that of the environment, then that of the user database.
    shells: Vec<PathBuf>,
}

/// The user's entry in the user database.
#[derive(Debug, Default)]
struct Account {
    name: Option<OsString>,
    home: Option<PathBuf>,
    shell: Option<PathBuf>,
}

impl Account {
    /// Looks up a user. This may wait for a directory service.
    fn of(user: Uid) -> Self {
        let Ok(Some(user)) = User::from_uid(user) else { return Self::default() };
        // An empty field stands for this shell (passwd(5)).
        let shell = if user.shell.as_os_str().is_empty() { "/bin/sh".into() } else { user.shell };
        let name = Some(user.name).filter(|name| !name.is_empty()).map(OsString::from);
        Self { name, home: Some(user.dir), shell: Some(shell) }
    }
}

impl Login {
    /// Looks up the user of this process. Must be called only once, since it may wait for a
    /// directory service.
    #[must_use]
    pub fn find() -> Self {
        let user = Uid::effective();
        Self::new(user, Account::of(user), |name| env::var_os(name))
    }

    /// Determines each variable. An empty one counts as missing.
    fn new(user: Uid, account: Account, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = variable("HOME").map_or_else(|| home_of(&account), PathBuf::from);
        // A user whom the database does not know is named by the user id, as in chown(1).
        let name = account.name.unwrap_or_else(|| user.to_string().into());
        let name_or = |other: &str| variable(other).unwrap_or_else(|| name.clone());
        let path = if user.is_root() { DEFAULT_ROOT_PATH } else { DEFAULT_PATH };
        let mut defaults = vec![
            ("HOME", home.clone().into_os_string()),
            ("USER", name_or("LOGNAME")),
            ("LOGNAME", name_or("USER")),
            ("PATH", path.into()),
        ];
        // Each of the three determines the character set (locale(7)).
        if ["LC_ALL", "LC_CTYPE"].iter().all(|name| variable(name).is_none()) {
            defaults.push(("LANG", DEFAULT_LANG.into()));
        }
        let missing = defaults.into_iter().filter(|(name, _)| variable(name).is_none()).collect();
        let shells = variable("SHELL").map(PathBuf::from).into_iter().chain(account.shell).collect();
        Self { home, missing, shells }
    }

    /// Returns the user's home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Returns the user's shell: that of `SHELL`, else that of the user database, else the first
    /// usable fallback. Skips programs such as `nologin`.
    #[must_use]
    pub fn shell(&self) -> PathBuf {
        let preferred = self.shells.iter().find(|shell| is_shell(shell)).cloned();
        preferred.unwrap_or_else(|| fallback_shell(&fs::read_to_string("/etc/shells").unwrap_or_default()))
    }

    /// Returns the shell that the user prefers, if it was skipped.
    #[must_use]
    pub fn refused_shell(&self) -> Option<&Path> {
        self.shells.first().filter(|shell| !is_shell(shell)).map(PathBuf::as_path)
    }

    /// Returns the variables to set for a program.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, OsString)> {
        let missing = self.missing.iter().map(|(name, value)| (*name, value.clone()));
        missing.chain([("SHELL", self.shell().into_os_string())])
    }
}

/// Returns the home directory of an account, or the root directory if there is none, as login(1)
/// and Docker do.
fn home_of(account: &Account) -> PathBuf {
    let home = account.home.as_ref().filter(|home| home.is_absolute() && check_enterable(home).is_ok());
    home.cloned().unwrap_or_else(|| "/".into())
}

/// Reports whether a file is a usable shell, judging by its name and by the name of the file
/// that it links to.
fn is_shell(shell: &Path) -> bool {
    let is_listed = |path: &Path| NON_SHELLS.iter().any(|name| path.file_name() == Some(OsStr::new(name)));
    let target = || fs::canonicalize(shell).unwrap_or_default();
    shell.is_absolute()
        && shell.is_file()
        && eaccess(shell, AccessFlags::X_OK).is_ok()
        && !is_listed(shell)
        && !is_listed(&target())
}

/// Returns the first usable shell of the fallbacks and of those that shells(5) lists.
fn fallback_shell(shells: &str) -> PathBuf {
    let (preferred, last) = FALLBACK_SHELLS.split_at(PREFERRED_SHELL_COUNT);
    let known = |path: &&str| {
        let name = Path::new(path).file_name().unwrap_or_default();
        SHELLS.iter().any(|shell| shell.as_bytes() == name.as_bytes() && *shell != "rbash")
    };
    let listed = shells.lines().map(str::trim).filter(known);
    let all = preferred.iter().copied().chain(listed).chain(last.iter().copied());
    all.map(PathBuf::from).find(|shell| is_shell(shell)).unwrap_or_else(|| "/bin/sh".into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Returns the variables that a user with this environment gets.
    fn variables(user: u32, account: Account, environment: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let login = Login::new(Uid::from_raw(user), account, variable);
        login.variables().map(|(name, value)| (name, value.into_string().unwrap())).collect()
    }

    fn value<'a>(variables: &'a [(&str, String)], name: &str) -> Option<&'a str> {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn alice() -> Account {
        Account { name: Some("alice".into()), home: Some("/usr".into()), shell: Some("/bin/sh".into()) }
    }

    #[test]
    fn what_is_missing_or_empty_comes_from_the_user_database() {
        let empty = ["HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_ALL"].map(|name| (name, ""));
        for environment in [&[][..], &empty] {
            let all = variables(1000, alice(), environment);
            for (name, expected) in [
                ("HOME", "/usr"),
                ("USER", "alice"),
                ("LOGNAME", "alice"),
                ("SHELL", "/bin/sh"),
                ("PATH", DEFAULT_PATH),
                ("LANG", "C.UTF-8"),
            ] {
                assert_eq!(value(&all, name), Some(expected), "{name}");
            }
        }
        assert_eq!(value(&variables(0, alice(), &[]), "PATH"), Some(DEFAULT_ROOT_PATH));
    }

    #[test]
    fn what_is_there_stays() {
        let environment =
            [("HOME", "/h"), ("USER", "u"), ("PATH", "/p"), ("LC_CTYPE", "de_DE"), ("SHELL", "/bin/sh")];
        let all = variables(1000, alice(), &environment);
        assert_eq!(all, [("LOGNAME", "u".to_owned()), ("SHELL", "/bin/sh".to_owned())]);
        let all = variables(1000, alice(), &[("LC_CTYPE", ""), ("LANG", "C")]);
        assert_eq!(value(&all, "LANG"), None, "who says so gets ASCII");
    }

    #[test]
    fn a_user_whom_nobody_knows_lives_in_the_root() {
        let all = variables(4242, Account::default(), &[]);
        assert_eq!((value(&all, "HOME"), value(&all, "USER")), (Some("/"), Some("4242")));
        assert!(is_shell(Path::new(value(&all, "SHELL").unwrap())));
        let nobody = Account { home: Some("/nonexistent".into()), ..alice() };
        assert_eq!(value(&variables(65534, nobody, &[]), "HOME"), Some("/"));
    }

    #[test]
    fn what_keeps_people_out_is_no_shell() {
        let folder = tempfile::tempdir().unwrap();
        let disguised = folder.path().join("bash");
        symlink("/bin/false", &disguised).unwrap();
        for shell in
            ["/usr/sbin/nologin", "/bin/false", "/bin/true", "/bin/sync", "bash", "/no/such", "/etc/passwd"]
                .map(Path::new)
                .into_iter()
                .chain([disguised.as_path(), folder.path()])
        {
            assert!(!is_shell(shell), "{}", shell.display());
            let account = Account { shell: Some(shell.into()), ..alice() };
            let login = Login::new(Uid::from_raw(1000), account, |_| None);
            assert!(is_shell(&login.shell()), "{:?}", login.shell());
            assert_eq!(login.refused_shell(), Some(shell));
            // The shell of the environment takes precedence if it is usable.
            let account = Account { shell: Some("/bin/sh".into()), ..alice() };
            let variable = |name: &str| (name == "SHELL").then(|| shell.as_os_str().to_owned());
            let login = Login::new(Uid::from_raw(1000), account, variable);
            assert_eq!(login.shell(), Path::new("/bin/sh"));
        }
        let login = Login::new(Uid::from_raw(1000), alice(), |_| None);
        assert_eq!(login.refused_shell(), None);
    }

    #[test]
    fn the_next_shell_is_one_that_people_talk_to() {
        assert!(is_shell(&fallback_shell("")));
        // The case of a system without bash.
        let listed = fallback_shell("# comment\n/usr/bin/tmux\n/usr/bin/rbash\n/bin/dash\n");
        assert!(
            [Path::new("/bin/bash"), Path::new("/usr/bin/bash"), Path::new("/bin/dash")].contains(&&*listed)
        );
    }
}
