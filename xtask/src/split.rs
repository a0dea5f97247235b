//! Splits the page's WebAssembly in two: what the first prompt needs, and all the rest.
//!
//! Trunk has no step for that: what can be split is the linker's output, before wasm-bindgen has seen it. So Trunk finds this
//! program in the place of wasm-bindgen, which splits and then calls the real one ([`bindgen`]). What Trunk does not know of is
//! put beside what it has made ([`finish`]).

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};

use crate::{
    shell::{self, say},
    tools::{self, Tool},
    workspace::Workspace,
};

/// What cargo calls the page's program, and wasm-bindgen its files.
const NAME: &str = "limpet-frontend";
/// What loads the rest, as wasm-split writes it.
const LOADER: &str = "__wasm_split.js";
/// The rest, by the name that `frontend/src/rest.rs` gives it.
const REST: &str = "split_page.wasm";

/// What Rust's code for the browser may use, and so what has to be left in it.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// By this name Trunk calls what turns the linker's output into a module with JavaScript.
pub(crate) const BINDGEN: &str = "wasm-bindgen";

/// Where the parts lie until the page is put together.
fn parts(workspace: &Workspace) -> PathBuf {
    workspace.target().join("page-parts")
}

/// A folder for the PATH in which this program is called wasm-bindgen.
pub(crate) fn disguise(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = parts(workspace).join("bin");
    let link = folder.join(BINDGEN);
    fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    if link.is_symlink() {
        fs::remove_file(&link).with_context(|| format!("could not replace {}", link.display()))?;
    }
    let ourselves = env::current_exe().context("could not find this program itself")?;
    symlink(ourselves, &link).with_context(|| format!("could not make {}", link.display()))?;
    Ok(folder)
}

/// Whether this program was called as wasm-bindgen.
pub(crate) fn is_bindgen(called: &OsString) -> bool {
    Path::new(called).file_name().is_some_and(|name| name == BINDGEN)
}

/// Splits what wasm-bindgen is to work on, and has the real one work on the first part.
pub(crate) fn bindgen(workspace: &Workspace, mut words: Vec<OsString>) -> anyhow::Result<()> {
    let linked = words.iter_mut().find(|word| Path::new(word).extension().is_some_and(|it| it == "wasm"));
    // Without one it is only asked for its version.
    if let Some(linked) = linked {
        let parts = parts(workspace);
        let mut split = tools::split(workspace)?;
        split.arg(&linked).arg(&parts).args(["--out-name", NAME]);
        shell::run(split)?;
        *linked = parts.join(format!("{NAME}.wasm")).into();
        // Both parts call through the linker's table.
        words.push("--keep-lld-exports".into());
    }
    let mut bindgen = workspace.command(Tool::wasm_bindgen(workspace)?.program(BINDGEN)?);
    bindgen.args(words);
    shell::run(bindgen)
}

/// Puts the rest beside what Trunk has made of the first part, and makes both as small as can be.
pub(crate) fn finish(workspace: &Workspace) -> anyhow::Result<()> {
    say("page", "making it small");
    let dist = workspace.path("dist");
    let hash = hash(&dist)?;
    let main = format!("{NAME}-{hash}");
    let (loader, rest) = (format!("loader-{hash}.js"), format!("rest-{hash}.wasm"));
    let parts = parts(workspace);

    let first = dist.join(format!("{main}_bg.wasm"));
    shrink(workspace, &first, &first)?;
    shrink(workspace, &parts.join(REST), &dist.join(&rest))?;

    // Trunk's hash is that of what was linked: it covers both parts.
    let names =
        [(format!("./{NAME}.js"), format!("./{main}.js")), (format!("./{REST}"), format!("./{rest}"))];
    rewrite(&parts.join(LOADER), &dist.join(&loader), &names)?;
    let script = dist.join(format!("{main}.js"));
    rewrite(&script, &script, &[(format!("from \"./{LOADER}\""), format!("from \"./{loader}\""))])?;
    let page = dist.join("index.html");
    let preload = format!("<link rel=\"modulepreload\" href=\"{loader}\">\n</head>");
    rewrite(&page, &page, &[("</head>".to_owned(), preload)])
}

/// The hash in the names that Trunk gave.
fn hash(dist: &Path) -> anyhow::Result<String> {
    let read = || format!("could not read {}", dist.display());
    for entry in fs::read_dir(dist).with_context(read)? {
        let name = entry.with_context(read)?.file_name();
        let hash =
            name.to_str().and_then(|name| name.strip_prefix(NAME)?.strip_prefix('-')?.strip_suffix(".js"));
        if let Some(hash) = hash {
            return Ok(hash.to_owned());
        }
    }
    bail!("Trunk has made no {NAME}-….js in {}", dist.display())
}

fn shrink(workspace: &Workspace, from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut optimiser = workspace.command(workspace.path("frontend/node_modules/.bin/wasm-opt"));
    optimiser.arg("-Oz").args(FEATURES).arg(from).arg("--output").arg(to);
    shell::run(optimiser)
}

/// Replaces what must be there.
fn rewrite(from: &Path, to: &Path, names: &[(String, String)]) -> anyhow::Result<()> {
    let mut text = fs::read_to_string(from).with_context(|| format!("could not read {}", from.display()))?;
    for (old, new) in names {
        ensure!(
            text.contains(old),
            "{} does not name {old}: its maker is of another version",
            from.display()
        );
        text = text.replace(old, new);
    }
    fs::write(to, text).with_context(|| format!("could not write {}", to.display()))
}
