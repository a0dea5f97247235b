//! What login(1) gives a program that it starts: a home, a name, a shell, a path, a language.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, Uid, User, eaccess};

use super::{enter, spawn::SHELLS};

/// Where programs are looked for, as shadow's `login.defs` has it (`ENV_PATH`).
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The same for the administrator (`ENV_SUPATH`).
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A language of which every system knows the character set.
const LANG: &str = "C.UTF-8";

/// Shells of a user who has none, the most comfortable first. Those of `/etc/shells` come before the last two.
const FALLBACK_SHELLS: [&str; 5] =
    ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/bin/sh", "/busybox/sh"];

/// How many of those are tried before `/etc/shells` is read.
const PREFERRED_SHELLS: usize = 3;

/// The names of programs that stand in for a shell to keep somebody out, or to do one other thing.
const NO_SHELLS: [&str; 12] = [
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

/// The user that limpet runs as, and what programs are to find of them in their environment.
#[derive(Clone, Debug, Default)]
pub struct Login {
    home: PathBuf,
    /// Variables that are missing or empty in the environment of this process.
    missing: Vec<(&'static str, OsString)>,
    /// Whose shell is wished for, in order: that of the environment, that of the user database.
    shells: Vec<PathBuf>,
}

/// What the user database says.
#[derive(Debug, Default)]
struct Account {
    name: Option<OsString>,
    home: Option<PathBuf>,
    shell: Option<PathBuf>,
}

impl Account {
    /// May ask a directory service, and wait for it.
    fn of(user: Uid) -> Self {
        let Ok(Some(user)) = User::from_uid(user) else { return Self::default() };
        // passwd(5): no shell means this one.
        let shell = if user.shell.as_os_str().is_empty() { "/bin/sh".into() } else { user.shell };
        let name = Some(user.name).filter(|name| !name.is_empty()).map(OsString::from);
        Self { name, home: Some(user.dir), shell: Some(shell) }
    }
}

impl Login {
    /// The user of this process. To be called once, since it may have to ask a directory service.
    #[must_use]
    pub fn find() -> Self {
        let user = Uid::effective();
        Self::new(user, Account::of(user), |name| env::var_os(name))
    }

    /// An empty variable counts as a missing one.
    fn new(user: Uid, account: Account, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = variable("HOME").map_or_else(|| home_of(&account), PathBuf::from);
        // A user whom the database does not know goes by their number, as in chown(1).
        let name = account.name.unwrap_or_else(|| user.to_string().into());
        let name_or = |other: &str| variable(other).unwrap_or_else(|| name.clone());
        let path = if user.is_root() { ROOT_PATH } else { PATH };
        let mut defaults = vec![
            ("HOME", home.clone().into_os_string()),
            ("USER", name_or("LOGNAME")),
            ("LOGNAME", name_or("USER")),
            ("PATH", path.into()),
        ];
        // Any of the three decides on the character set (locale(7)).
        if ["LC_ALL", "LC_CTYPE"].iter().all(|name| variable(name).is_none()) {
            defaults.push(("LANG", LANG.into()));
        }
        let missing = defaults.into_iter().filter(|(name, _)| variable(name).is_none()).collect();
        let shells = variable("SHELL").map(PathBuf::from).into_iter().chain(account.shell).collect();
        Self { home, missing, shells }
    }

    /// Where the user lives.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The user's shell: that of `SHELL`, else that of the user database, else the next one that there is. One that only keeps
    /// people out, such as `nologin`, is passed over.
    #[must_use]
    pub fn shell(&self) -> PathBuf {
        let wished = self.shells.iter().find(|shell| is_shell(shell)).cloned();
        wished.unwrap_or_else(|| fallback_shell(&fs::read_to_string("/etc/shells").unwrap_or_default()))
    }

    /// The shell that the user would have if it were one that can be used.
    #[must_use]
    pub fn refused_shell(&self) -> Option<&Path> {
        self.shells.first().filter(|shell| !is_shell(shell)).map(PathBuf::as_path)
    }

    /// Variables for a program that is started.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, OsString)> {
        let missing = self.missing.iter().map(|(name, value)| (*name, value.clone()));
        missing.chain([("SHELL", self.shell().into_os_string())])
    }
}

/// login(1) and Docker alike start in the root where there is no home.
fn home_of(account: &Account) -> PathBuf {
    let home = account.home.as_ref().filter(|home| home.is_absolute() && enter(home).is_ok());
    home.cloned().unwrap_or_else(|| "/".into())
}

/// Whether this is a program that one can work in, by its own name and by that of the file that it leads to.
fn is_shell(shell: &Path) -> bool {
    let bars = |path: &Path| NO_SHELLS.iter().any(|name| path.file_name() == Some(OsStr::new(name)));
    let leads_to = || fs::canonicalize(shell).unwrap_or_default();
    shell.is_absolute()
        && shell.is_file()
        && eaccess(shell, AccessFlags::X_OK).is_ok()
        && !bars(shell)
        && !bars(&leads_to())
}

/// The first shell that can be used of the usual ones and of those that shells(5) lists.
fn fallback_shell(shells: &str) -> PathBuf {
    let (preferred, last) = FALLBACK_SHELLS.split_at(PREFERRED_SHELLS);
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

    /// The variables that a user gets whose environment is this.
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
                ("PATH", PATH),
                ("LANG", "C.UTF-8"),
            ] {
                assert_eq!(value(&all, name), Some(expected), "{name}");
            }
        }
        assert_eq!(value(&variables(0, alice(), &[]), "PATH"), Some(ROOT_PATH));
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
            // The environment's counts before, unless it is none.
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
        // Where there is no bash.
        let listed = fallback_shell("# comment\n/usr/bin/tmux\n/usr/bin/rbash\n/bin/dash\n");
        assert!(
            [Path::new("/bin/bash"), Path::new("/usr/bin/bash"), Path::new("/bin/dash")].contains(&&*listed)
        );
    }
}
