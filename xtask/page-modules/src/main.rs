//! Makes the page's two WebAssembly modules and the script that connects them with the browser.
//!
//! wasm-split cuts the linker's output in two: the code that the first prompt needs, and the rest.
//! wasm-bindgen then generates the script for the first part. Both are used as libraries, because
//! their command-line programs take minutes to compile.

use std::{env, ffi::OsString, fs, path::Path};

use anyhow::{Context, anyhow, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let [linked, folder, name] = &words[..] else {
        bail!("write: page-modules LINKED_MODULE FOLDER NAME");
    };
    let name = name.to_str().context("the name is not text")?;
    let first = split(linked.as_ref(), folder.as_ref(), name)?;
    generate_script(&first, folder.as_ref(), name)
}

/// Splits the linker's output into modules in `folder`, and returns the path of the first one.
fn split(linked: &Path, folder: &Path, name: &str) -> anyhow::Result<Box<Path>> {
    let input = fs::read(linked).with_context(|| format!("could not read {}", linked.display()))?;
    let first = folder.join(format!("{name}.wasm"));
    // The loader of the second module imports the script by this name.
    let script = format!("./{name}.js");
    let mut options = wasm_split_cli_support::Options::new(&input);
    options.output_dir = folder;
    options.main_out_path = &first;
    options.main_module = &script;
    wasm_split_cli_support::transform(options)
        .map_err(|error| anyhow!("could not split {}: {error:#}", linked.display()))?;
    Ok(first.into())
}

/// Generates the script of a module, and the module without the descriptions that the script was
/// generated from.
fn generate_script(module: &Path, folder: &Path, name: &str) -> anyhow::Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.web(true)?.input_path(module).out_name(name).omit_default_module_path(false);
    // Both modules make calls through the linker's table.
    bindgen.keep_lld_exports(true);
    bindgen.generate(folder).with_context(|| format!("could not generate the script of {}", module.display()))
}
