//! Opens the link in this machine's browser.

use std::{
    env,
    io::{self, Write as _},
    path::PathBuf,
};

use tempfile::{Builder, NamedTempFile};

/// A page that leads to the link. The file is removed when this is dropped.
///
/// Every user of a machine may read every program's arguments, so the link, secret included, is not among those of the
/// browser: a file is, which only its owner may read (0600).
#[derive(Debug)]
#[must_use = "the browser needs the file"]
pub struct Opened {
    /// Held to be removed.
    _page: NamedTempFile,
}

/// Opens `url`, which needs no escaping in HTML, in the browser that this user prefers.
///
/// # Errors
/// When the file cannot be written, or there is nothing that opens it.
pub fn open(url: &str) -> io::Result<Opened> {
    let mut page = Builder::new().prefix("limpet-").suffix(".html").tempfile_in(folder())?;
    writeln!(
        page,
        "<!doctype html><meta charset=\"utf-8\"><title>limpet</title>\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\"><a href=\"{url}\">Go on to limpet</a>"
    )?;
    open::that_detached(page.path())?;
    Ok(Opened { _page: page })
}

/// This user's own folder for such files where there is one (XDG Base Directory Specification).
fn folder() -> PathBuf {
    env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(env::temp_dir)
}
