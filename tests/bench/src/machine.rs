//! The machine and the software versions of a run.

use std::{fs, process::Command, thread::available_parallelism};

use serde::Serialize;

use crate::proc;

/// Hardware, kernel, and versions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    memory: String,
    kernel: String,
    versions: Vec<(String, String)>,
}

impl Machine {
    pub(crate) fn this(versions: Vec<(String, String)>) -> Self {
        let unknown = |_| "unknown".to_owned();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: proc::field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            processors: available_parallelism().map_or(1, usize::from),
            memory: proc::field("/proc/meminfo", "MemTotal")
                .map_or_else(unknown, |memory| gibibytes(&memory)),
            // The suffix after the version number depends on who built the kernel.
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            versions,
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self { processor, processors, memory, kernel, versions } = self;
        let versions: Vec<String> =
            versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        format!("{processors} × {processor}, {memory}, Linux {kernel}\n{}\n", versions.join(", "))
    }
}

/// Formats memory in GiB from the kernel's number of kB.
fn gibibytes(memory: &str) -> String {
    let kibibytes = memory.split(' ').next().and_then(|word| word.parse::<u64>().ok());
    kibibytes.map_or_else(|| memory.to_owned(), |kibibytes| format!("{} GiB", kibibytes.div_ceil(1 << 20)))
}

/// Returns the first line of a program's answer to a request for its version.
pub(crate) fn version(command: &[&str]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_said_as_people_say_it() {
        assert_eq!(gibibytes("24683656 kB"), "24 GiB");
        assert_eq!(gibibytes("unknown"), "unknown");
    }
}
