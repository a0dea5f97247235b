//! Compresses the page's files once, so that the server does not have to.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use flate2::{Compression, write::GzEncoder};

/// Brotli's largest window, 16 MiB, and its best quality.
const BROTLI_WINDOW: i32 = 24;
const BROTLI_QUALITY: i32 = 11;

/// Writes `NAME.br` and `NAME.gz` beside every file below `folder` if they are smaller than the
/// file.
pub(crate) fn compress_folder(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            compress_folder(&path)?;
        } else {
            compress_file(&path)?;
        }
    }
    Ok(())
}

fn compress_file(path: &Path) -> anyhow::Result<()> {
    let plain = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    for (suffix, compressed) in [(".br", compress_brotli(&plain)?), (".gz", compress_gzip(&plain)?)] {
        let beside = with_suffix(path, suffix);
        if compressed.len() < plain.len() {
            fs::write(&beside, compressed)
                .with_context(|| format!("could not write {}", beside.display()))?;
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn compress_brotli(plain: &[u8]) -> anyhow::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW,
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &plain[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

fn compress_gzip(plain: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_can_be_had_back() {
        let plain = b"limpet ".repeat(1000);
        let mut unbrotlied = Vec::new();
        brotli::BrotliDecompress(&mut &compress_brotli(&plain).unwrap()[..], &mut unbrotlied).unwrap();
        let mut ungzipped = Vec::new();
        let gzipped = compress_gzip(&plain).unwrap();
        flate2::read::GzDecoder::new(&gzipped[..]).read_to_end(&mut ungzipped).unwrap();
        assert!(unbrotlied == plain && ungzipped == plain);
    }
}
