//! A session in the old design, with one task for each direction. The difference is that the two
//! borrow one terminal instead of both owning it.

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

use limpet_keeper::{KeeperClient, ProgramHandles};
use limpet_pty::{EndMode, Program, Pty, Read};
use limpet_shared::{SessionId, Winsize};
use nix::unistd;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
};

/// The event that ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The program ends, and with it the terminal's side.
    Program,
    /// The terminal's side fails because the browser accepts nothing more.
    ReadError,
    /// The browser leaves.
    Browser,
    /// The browser's side fails.
    WriteError,
}

impl Ending {
    pub(crate) const ALL: [Self; 4] = [Self::Program, Self::ReadError, Self::Browser, Self::WriteError];
}

/// Runs a program on a terminal until the session ends, and checks that no other descriptor is
/// closed.
pub(crate) async fn run_session(keeper: KeeperClient, ending: Ending) {
    let program = Program::new("sh".into(), ["-c", "echo ready; read line"].map(Into::into).to_vec());
    let name = SessionId::from_random(limpet_sys::random::bytes());
    let resources = keeper.start(&name, &program, Winsize::default(), 0, String::new()).await.unwrap();
    let ProgramHandles { program, pipe } = resources.program.unwrap();
    let (pty, child) = program.watch().unwrap();
    let pty = Arc::new(pty);
    let (to_browser, mut at_browser) = mpsc::channel(16);
    let (from_browser, at_terminal) = mpsc::channel(16);
    let terminal = tokio::spawn(terminal_to_browser(Arc::clone(&pty), to_browser));
    let browser = tokio::spawn(browser_to_terminal(Arc::clone(&pty), pipe, at_terminal));
    at_browser.recv().await.unwrap();
    let (first, second) = match ending {
        Ending::Program => {
            from_browser.send(Ok(b"\n".to_vec())).await.unwrap();
            while at_browser.recv().await.is_some() {}
            (terminal, browser)
        }
        Ending::ReadError => {
            drop(at_browser);
            // This is an echo while the program still runs: the kernel may drop the last output
            // before its end.
            from_browser.send(Ok(b"x".to_vec())).await.unwrap();
            (terminal, browser)
        }
        Ending::Browser => {
            drop(from_browser);
            (browser, terminal)
        }
        Ending::WriteError => {
            from_browser.send(Err(io::ErrorKind::ConnectionReset.into())).await.unwrap();
            (browser, terminal)
        }
    };
    let ended = first.await.unwrap();
    assert_eq!(ended.is_err(), matches!(ending, Ending::ReadError | Ending::WriteError), "{ended:?}");
    // Other descriptors get the lowest free numbers, and so any that the first end has freed.
    let innocent = UnixStream::pair().unwrap();
    abort_and_join(second).await;
    drop(Arc::into_inner(pty).unwrap());
    child.end(EndMode::All).await.unwrap();
    child.reap().await.unwrap();
    keeper.forget(&name).await;
    assert_still_connected(innocent);
}

/// Checks that data written to one end still arrives at the other.
fn assert_still_connected((mut one, mut other): (UnixStream, UnixStream)) {
    one.write_all(b"mine").unwrap();
    let mut read = [0; 4];
    other.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"mine");
}

async fn abort_and_join(side: JoinHandle<io::Result<()>>) {
    side.abort();
    let over = side.await;
    assert!(
        over.as_ref().is_ok_and(Result::is_ok) || over.as_ref().is_err_and(JoinError::is_cancelled),
        "{over:?}"
    );
}

async fn terminal_to_browser(pty: Arc<Pty>, browser: mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match pty.read(&mut buffer)? {
            Read::Bytes(count) => {
                let sent = browser.send(buffer[..count].to_vec()).await;
                sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
            }
            Read::Empty => pty.readable().await?,
            Read::End => return Ok(()),
        }
    }
}

async fn browser_to_terminal(
    pty: Arc<Pty>,
    pipe: OwnedFd,
    mut browser: mpsc::Receiver<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    while let Some(input) = browser.recv().await {
        let mut left = unistd::write(&pipe, &input?)?;
        while left > 0 {
            match pty.write_from(pipe.as_fd(), left)? {
                0 => pty.writable().await?,
                taken => left -= taken,
            }
        }
    }
    Ok(())
}
