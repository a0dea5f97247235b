//! System calls that fail, one at a time, while a server runs.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;

use super::Options;

/// The preloaded library, compiled once for all tests.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/faults/preload.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "a C compiler is needed");
    library
});

/// Layout of the shared file: the number of the call that fails, the calls so far, whether it
/// failed, and its name.
const ARMED_OFFSET: u64 = 0;
const COUNT_OFFSET: u64 = 4;
const HIT_OFFSET: u64 = 8;
const CALL_OFFSET: u64 = 12;
const CALL_LEN: usize = 32;

/// Control of the calls that fail.
pub(crate) struct Faults {
    control: File,
    number: AtomicU32,
    folder: TempDir,
}

impl Faults {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        fs::write(&path, [0; 4096]).unwrap();
        Self {
            control: File::options().read(true).write(true).open(path).unwrap(),
            number: AtomicU32::new(0),
            folder,
        }
    }

    /// Adds the options that let a server's calls fail.
    pub(crate) fn options(&self, options: Options) -> Options {
        let binary = fs::canonicalize(env!("CARGO_BIN_EXE_limpet")).unwrap();
        options
            .env("LD_PRELOAD", LIBRARY.to_str().unwrap())
            .env("FAULTS_FILE", self.folder.path().join("control").to_str().unwrap())
            .env("FAULTS_BINARY", binary.to_str().unwrap())
    }

    /// Makes the call with this number fail, counted from now on.
    pub(crate) fn arm(&self, number: u32) {
        self.number.store(number, Ordering::Relaxed);
        for at in [ARMED_OFFSET, COUNT_OFFSET, HIT_OFFSET] {
            self.write(at, 0);
        }
        self.control.write_all_at(&[0; CALL_LEN], CALL_OFFSET).unwrap();
        self.resume();
    }

    /// Stops counting calls and making them fail.
    pub(crate) fn pause(&self) {
        self.write(ARMED_OFFSET, 0);
    }

    /// Makes the armed call fail again, after [`Faults::pause`].
    pub(crate) fn resume(&self) {
        self.write(ARMED_OFFSET, self.number.load(Ordering::Relaxed));
    }

    /// Stops making calls fail. Returns the function that has failed, if any.
    pub(crate) fn disarm(&self) -> Option<String> {
        self.pause();
        let (mut hit, mut call) = ([0; 4], [0; CALL_LEN]);
        self.control.read_exact_at(&mut hit, HIT_OFFSET).unwrap();
        self.control.read_exact_at(&mut call, CALL_OFFSET).unwrap();
        let name = String::from_utf8_lossy(&call).trim_end_matches('\0').to_owned();
        (u32::from_ne_bytes(hit) != 0).then_some(name)
    }

    fn write(&self, at: u64, value: u32) {
        self.control.write_all_at(&value.to_ne_bytes(), at).unwrap();
    }
}
