//! Opens the link in this machine's browser.
//!
//! Every user of a machine may read every program's arguments, so the link, secret included, is not among those of the browser: a file
//! is, which only its owner may read (0600), and which is there only as long as a browser takes to start.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::getppid;
use tempfile::{Builder, NamedTempFile};
use tokio::time::sleep;

use crate::keeper::folders;

/// How long a browser has to start and read the file.
const LIFETIME: Duration = Duration::from_mins(1);

/// How the names of such files begin and end. Between them is the number of the keeper's process, and something random.
const PREFIX: &str = "open-";
const SUFFIX: &str = ".html";

/// Opens `url`, which needs no escaping in HTML, in the browser that this user prefers, and waits until the file that leads there has been
/// removed. Cancelled, it removes it at once.
///
/// # Errors
/// When the file cannot be written, or there is nothing that opens it.
pub async fn open(url: &str) -> io::Result<()> {
    let page = write_page(url)?;
    open::that_detached(page.path())?;
    sleep(LIFETIME).await;
    page.close()
}

fn write_page(url: &str) -> io::Result<NamedTempFile> {
    let folder = folders::usable().next().ok_or_else(|| {
        io::Error::new(
            ErrorKind::NotFound,
            "there is no directory of this user's own for the file that leads to it",
        )
    })?;
    let mut page =
        Builder::new().prefix(&format!("{PREFIX}{}-", getppid())).suffix(SUFFIX).tempfile_in(folder)?;
    writeln!(
        page,
        "<!doctype html><meta charset=\"utf-8\"><title>limpet</title>\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\"><a href=\"{url}\">Go on to limpet</a>"
    )?;
    Ok(page)
}

/// Removes what servers have left behind that were killed: those of the same keeper, and those of keepers that do not run any more.
pub fn remove_leftovers() {
    for folder in folders::existing() {
        for page in pages(&folder) {
            if let Err(error) = fs::remove_file(&page) {
                tracing::warn!(%error, page = %page.display(), "could not remove a page that leads to an earlier link");
            }
        }
    }
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let is_left = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let keeper = name.strip_prefix(PREFIX).filter(|_| name.ends_with(SUFFIX));
        let keeper = keeper.and_then(|rest| rest.split('-').next()?.parse::<i32>().ok());
        keeper.is_some_and(|pid| pid == getppid().as_raw() || !Path::new(&format!("/proc/{pid}")).exists())
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_left).collect()
}
