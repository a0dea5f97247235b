//! Opens the access URL in this machine's browser.
//!
//! Every user of a machine can read the arguments of every program, so the browser does not get the
//! link as an argument. It gets a file that redirects to the link, which only its owner can read
//! (0600), and which exists only while a browser starts.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use limpet_keeper::runtime_dirs;
use nix::unistd::getppid;
use tempfile::{Builder, NamedTempFile};
use tokio::time::sleep;

/// Time that a browser has to start and read the file.
const REDIRECT_FILE_LIFETIME: Duration = Duration::from_mins(1);

/// The beginning and the end of the file's name. Between them are the keeper's pid and random
/// characters.
const FILE_NAME_PREFIX: &str = "open-";
const FILE_NAME_SUFFIX: &str = ".html";

/// Opens `url`, which needs no escaping in HTML, in the user's browser, and returns when the file
/// has been removed. If cancelled, removes the file at once.
///
/// # Errors
/// When the file cannot be written, or there is nothing that opens it.
pub async fn open(url: &str) -> io::Result<()> {
    let page = write_page(url)?;
    open::that_detached(page.path())?;
    sleep(REDIRECT_FILE_LIFETIME).await;
    page.close()
}

fn write_page(url: &str) -> io::Result<NamedTempFile> {
    let folder = runtime_dirs::usable().next().ok_or_else(|| {
        io::Error::new(ErrorKind::NotFound, "there is no private directory for the file that opens the link")
    })?;
    let prefix = format!("{FILE_NAME_PREFIX}{}-", getppid());
    let mut page = Builder::new().prefix(&prefix).suffix(FILE_NAME_SUFFIX).tempfile_in(folder)?;
    writeln!(
        page,
        "<!doctype html><meta charset=\"utf-8\"><title>limpet</title>\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\"><a href=\"{url}\">Open limpet</a>"
    )?;
    Ok(page)
}

/// Removes the files that killed servers left: those of the same keeper, and those of keepers that
/// no longer run.
pub fn remove_leftovers() {
    for folder in runtime_dirs::existing() {
        for page in leftovers(&folder) {
            if let Err(error) = fs::remove_file(&page) {
                tracing::warn!(%error, page = %page.display(), "could not remove the redirect page of an earlier link");
            }
        }
    }
}

fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let is_leftover = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let keeper = name.strip_prefix(FILE_NAME_PREFIX).filter(|_| name.ends_with(FILE_NAME_SUFFIX));
        let keeper = keeper.and_then(|rest| rest.split('-').next()?.parse::<i32>().ok());
        keeper.is_some_and(|pid| pid == getppid().as_raw() || !Path::new(&format!("/proc/{pid}")).exists())
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_leftover).collect()
}
