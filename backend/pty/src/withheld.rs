//! Variables of limpet's own environment that are not passed on to programs.

use std::{ffi::OsStr, path::Path};

use super::spawn::TERM;

/// Variables that are withheld for the same reason.
struct WithheldGroup {
    names: &'static [&'static str],
    prefixes: &'static [&'static str],
}

const WITHHELD_GROUPS: [WithheldGroup; 7] = [
    // Variables of limpet itself, some of them secret.
    WithheldGroup { names: &[], prefixes: &["LIMPET_"] },
    // The size, the capabilities and the name of the terminal that limpet was started in. With its
    // name, gpg-agent would ask for passwords there.
    WithheldGroup { names: &["COLUMNS", "GPG_TTY", "LINES", "TERMCAP"], prefixes: &[] },
    // Variables that announce another terminal. Programs would use its own control sequences.
    WithheldGroup {
        names: &[
            "COLORFGBG",
            "GUAKE_TAB_UUID",
            "LC_TERMINAL",
            "LC_TERMINAL_VERSION",
            "MLTERM",
            "TERMINAL_EMULATOR",
            "TERMINOLOGY",
            "TERM_FEATURES",
            "TERM_SESSION_ID",
            "TILIX_ID",
            "VTE_VERSION",
            "WINDOWID",
            "WT_PROFILE_ID",
            "WT_SESSION",
            "ZED_TERM",
        ],
        prefixes: &[
            "ALACRITTY_",
            "CONTOUR_",
            "ConEmu",
            "GHOSTTY_",
            "GNOME_TERMINAL_",
            "INTELLIJ_TERMINAL_",
            "ITERM_",
            "ITERM2_",
            "KITTY_",
            "KONSOLE_",
            "PTYXIS_",
            "RIO_",
            "SHELL_SESSION_",
            "TABBY_",
            "TERMINATOR_",
            "TERMINAL_NAME",
            "TERMINAL_VERSION",
            "TERM_PROGRAM",
            "WARP_",
            "WAVETERM",
            "WEZTERM_",
            "XTERM_",
            "_INTELLIJ_",
            "__INTELLIJ_",
        ],
    },
    // Variables that announce a multiplexer or a recorder around the program, or name its socket.
    WithheldGroup {
        names: &["ASCIINEMA_REC", "ASCIINEMA_SESSION", "STY", "WINDOW"],
        prefixes: &["ABDUCO_", "BYOBU_", "DVTM", "SHPOOL_", "TMUX", "ZELLIJ", "ZMX_"],
    },
    // Variables that announce an editor or a file manager around the program, or name its socket.
    WithheldGroup {
        names: &[
            "EMACS",
            "INSIDE_EMACS",
            "LF_LEVEL",
            "MC_CONTROL_FILE",
            "MC_SID",
            "MC_TMPDIR",
            "MYGVIMRC",
            "MYVIMRC",
            "NNNLVL",
            "NVIM",
            "NVIM_LISTEN_ADDRESS",
            "RANGER_LEVEL",
            "VIM",
            "VIMRUNTIME",
            "VIM_SERVERNAME",
            "VIM_TERMINAL",
            "YAZI_ID",
            "YAZI_LEVEL",
        ],
        prefixes: &["VSCODE_"],
    },
    // Variables of the shell or the desktop launcher that started limpet.
    WithheldGroup {
        names: &["DESKTOP_STARTUP_ID", "OLDPWD", "SHLVL", "XDG_ACTIVATION_TOKEN", "_"],
        prefixes: &["GIO_LAUNCHED_"],
    },
    // Variables between a service manager and limpet.
    WithheldGroup {
        names: &[
            "CACHE_DIRECTORY",
            "CONFIGURATION_DIRECTORY",
            "CREDENTIALS_DIRECTORY",
            "FDSTORE",
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "LOGS_DIRECTORY",
            "MAINPID",
            "MANAGERPID",
            "MANAGERPIDFDID",
            "NOTIFY_SOCKET",
            "PIDFILE",
            "RUNTIME_DIRECTORY",
            "STATE_DIRECTORY",
            "SYSTEMD_EXEC_PID",
        ],
        prefixes: &["LISTEN_FD", "LISTEN_PID", "MEMORY_PRESSURE_", "WATCHDOG_"],
    },
];

/// Prefixes of user settings, which are passed on although they match a withheld prefix. With them
/// git can keep asking for passwords in the editor, just as ssh can keep using its agent.
const PASSED_PREFIXES: [&str; 9] = [
    "BYOBU_CONFIG_DIR",
    "KITTY_CONFIG_DIRECTORY",
    "TMUX_TMPDIR",
    "VSCODE_GIT_",
    "ZELLIJ_AUTO_",
    "ZELLIJ_CONFIG_",
    "ZELLIJ_LAYOUT_DIR",
    "ZELLIJ_SOCKET_DIR",
    "ZELLIJ_THEME_DIR",
];

/// Reports whether a variable of limpet's own environment is withheld from programs.
pub(super) fn is_withheld(name: &OsStr, value: &OsStr) -> bool {
    // All names here are ASCII.
    let Some(name) = name.to_str() else { return false };
    let begins = |prefix: &&str| name.starts_with(prefix);
    let is_in = |group: &WithheldGroup| group.names.contains(&name) || group.prefixes.iter().any(begins);
    match name {
        "TERMINFO" => !has_entry_for_term(value),
        _ => WITHHELD_GROUPS.iter().any(is_in) && !PASSED_PREFIXES.iter().any(begins),
    }
}

/// Reports whether a terminfo(5) database has an entry for `TERM`. Some terminals ship one that
/// describes only themselves.
fn has_entry_for_term(database: &OsStr) -> bool {
    let entry = |folder: &str| Path::new(database).join(folder).join(TERM);
    // The entry is in a directory named by the first letter, or by the letter's code on file
    // systems that ignore case.
    ["x", "78"].map(entry).iter().any(|entry| entry.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(name: &str) -> bool {
        is_withheld(name.as_ref(), "x".as_ref())
    }

    #[test]
    fn another_terminal_is_not_told_of() {
        for name in [
            "KITTY_WINDOW_ID",
            "ZELLIJ",
            "ZELLIJ_SESSION_NAME",
            "INSIDE_EMACS",
            "VTE_VERSION",
            "WEZTERM_PANE",
            "GHOSTTY_RESOURCES_DIR",
            "NVIM",
            "WT_SESSION",
            "TMUX",
            "TMUX_PANE",
            "VSCODE_INJECTION",
            "TERM_PROGRAM",
            "INVOCATION_ID",
            "WATCHDOG_USEC",
            "LISTEN_FDNAMES",
            "LIMPET_HEARTBEAT_MS",
        ] {
            assert!(withheld(name), "{name}");
        }
    }

    #[test]
    fn settings_and_the_desktop_stay() {
        for name in [
            "SSH_CONNECTION",
            "SSH_AUTH_SOCK",
            "SSH_TTY",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "XDG_RUNTIME_DIR",
            "TMUX_TMPDIR",
            "ZELLIJ_CONFIG_DIR",
            "VSCODE_GIT_ASKPASS_NODE",
            "VIMINIT",
            "SYSTEMD_PAGER",
            "TERMINFO_DIRS",
            "EDITOR",
            "LESS",
        ] {
            assert!(!withheld(name), "{name}");
        }
    }

    #[test]
    fn a_terminfo_database_stays_if_it_is_of_use() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().as_os_str();
        assert!(is_withheld("TERMINFO".as_ref(), database));
        std::fs::create_dir(folder.path().join("x")).unwrap();
        std::fs::write(folder.path().join("x").join(TERM), "").unwrap();
        assert!(!is_withheld("TERMINFO".as_ref(), database));
        assert!(is_withheld("TERMINFO".as_ref(), "hex:1a01".as_ref()));
    }
}
