//! A session of the old design, with one task for each direction.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::fd::{AsRawFd as _, RawFd},
    process::{self, Command, Stdio},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    pty::openpty,
};
use tokio::{
    io::AsyncWriteExt as _,
    sync::mpsc,
    task::JoinHandle,
    time::{self, Duration},
};

use crate::{
    Outcome,
    files::{Reader, create_two_owners},
};

/// Time after which a side counts as never ending.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The event that ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The program ends, and with it the terminal's side.
    Program { innocent: bool },
    /// The terminal's side fails because the browser accepts nothing more.
    ReadError { innocent: bool },
    /// The browser leaves.
    Browser,
    /// The browser's side fails.
    WriteError,
}

pub(crate) struct Session {
    pub(crate) ending: Ending,
    pub(crate) waiting: bool,
}

impl Ending {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "program" => Self::Program { innocent: false },
            "program-innocent" => Self::Program { innocent: true },
            "read-error" => Self::ReadError { innocent: false },
            "read-error-innocent" => Self::ReadError { innocent: true },
            "browser" => Self::Browser,
            "write-error" => Self::WriteError,
            _ => return None,
        })
    }
}

impl Session {
    /// Runs a program on a terminal until the session ends.
    pub(crate) async fn run(self) -> Outcome {
        let Ok((reader, writer, fd)) = self.start() else { process::exit(71) };
        let (to_browser, at_browser) = mpsc::channel(16);
        let (from_browser, at_terminal) = mpsc::channel(16);
        let terminal = terminal_to_browser(reader, to_browser);
        let browser = browser_to_terminal(writer, at_terminal);
        let mut ends = Ends { at_browser, from_browser };
        match self.ending {
            Ending::Program { innocent } => {
                // The program reads a line and exits.
                let _ = ends.from_browser.send(Ok(b"\n".to_vec())).await;
                terminal_first(ends, terminal, browser, innocent.then_some(fd)).await
            }
            Ending::ReadError { innocent } => {
                ends.at_browser.close();
                terminal_first(ends, terminal, browser, innocent.then_some(fd)).await
            }
            Ending::Browser => {
                browser_first(ends, fd, None, tokio::spawn(join_both(terminal, browser))).await
            }
            Ending::WriteError if self.waiting => {
                let either = async { tokio::try_join!(terminal, browser).map(drop) };
                browser_first(ends, fd, Some(io::ErrorKind::ConnectionReset), tokio::spawn(either)).await
            }
            Ending::WriteError => {
                let error = Some(io::ErrorKind::ConnectionReset);
                browser_first(ends, fd, error, tokio::spawn(join_both(terminal, browser))).await
            }
        }
    }

    fn start(&self) -> io::Result<(Reader, tokio::fs::File, RawFd)> {
        let pty = openpty(None, None)?;
        for side in [&pty.master, &pty.slave] {
            fcntl(side, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; read line"]);
        command.stdin(pty.slave.try_clone()?).stdout(pty.slave.try_clone()?).stderr(Stdio::from(pty.slave));
        command.spawn()?;
        Ok(create_two_owners(pty.master, self.waiting))
    }
}

/// The browser's ends of the two directions.
struct Ends {
    at_browser: mpsc::Receiver<Vec<u8>>,
    from_browser: mpsc::Sender<io::Result<Vec<u8>>>,
}

/// Ends the terminal's side, then the browser's. With `innocent`, opens an unrelated file in
/// between, which gets that descriptor number.
async fn terminal_first(
    mut ends: Ends,
    terminal: impl Future<Output = io::Result<()>> + Send + 'static,
    browser: impl Future<Output = io::Result<()>> + Send + 'static,
    innocent: Option<RawFd>,
) -> Outcome {
    let (terminal, browser) = (tokio::spawn(terminal), tokio::spawn(browser));
    while ends.at_browser.recv().await.is_some() {}
    let _ = terminal.await;
    let bystander = innocent.map(open_at);
    drop(ends.from_browser);
    let _ = browser.await;
    bystander.map_or(Outcome::Silent, check_bystander)
}

/// Ends the browser's side while the terminal's side waits for output.
async fn browser_first(
    mut ends: Ends,
    fd: RawFd,
    error: Option<io::ErrorKind>,
    sides: JoinHandle<io::Result<()>>,
) -> Outcome {
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"\n") {
        let Some(output) = ends.at_browser.recv().await else { return Outcome::Silent };
        greeting.extend(output);
    }
    while !waits_in_read(fd) {
        // The kernel does not notify anybody when a thread starts to wait, so this is the polling
        // interval.
        time::sleep(Duration::from_millis(1)).await;
    }
    if let Some(error) = error {
        let _ = ends.from_browser.send(Err(error.into())).await;
    }
    drop(ends.from_browser);
    let over = time::timeout(END_TIMEOUT, sides).await.is_ok();
    if over { Outcome::Silent } else { Outcome::Leaked }
}

/// Reports whether a thread of this process waits for the descriptor in the kernel. Before that, a
/// read notices that it is closed.
fn waits_in_read(fd: RawFd) -> bool {
    let waits = format!("{} {fd:#x} ", libc::SYS_read);
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let calls = threads.filter_map(|thread| fs::read_to_string(thread.path().join("syscall")).ok());
    calls.into_iter().any(|call| call.starts_with(&waits))
}

/// Waits for both futures, whatever their results.
async fn join_both(
    one: impl Future<Output = io::Result<()>> + Send + 'static,
    other: impl Future<Output = io::Result<()>> + Send + 'static,
) -> io::Result<()> {
    let (one, other) = (tokio::spawn(one), tokio::spawn(other));
    let _ = one.await;
    let _ = other.await;
    Ok(())
}

async fn terminal_to_browser(mut terminal: Reader, browser: mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let count = terminal.read(&mut buffer).await?;
        if count == 0 || browser.send(buffer[..count].to_vec()).await.is_err() {
            return Ok(());
        }
    }
}

async fn browser_to_terminal(
    mut terminal: tokio::fs::File,
    mut browser: mpsc::Receiver<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    while let Some(input) = browser.recv().await {
        terminal.write_all(&input?).await?;
        terminal.flush().await?;
    }
    Ok(())
}

/// Opens an unrelated file that gets the number freed by the first close.
fn open_at(fd: RawFd) -> File {
    loop {
        match File::options().write(true).open("/dev/null") {
            Ok(file) if file.as_raw_fd() == fd => return file,
            // A lower number was free as well.
            Ok(file) => Box::leak(Box::new(file)),
            Err(_) => process::exit(72),
        };
    }
}

/// Reports whether the unrelated file was closed.
fn check_bystander(mut bystander: File) -> Outcome {
    let hit = bystander.write_all(b"mine").is_err();
    // A closed file must not be closed again, and an open one ends with the process.
    Box::leak(Box::new(bystander));
    if hit { Outcome::InnocentHit } else { Outcome::Silent }
}
