//! Bundles Trunk's output into one style sheet, two scripts and two WebAssembly modules, because
//! each request costs a browser some milliseconds before the first prompt. One of the scripts is
//! xterm.js with its add-ons, which takes longer to parse than anything else; the other script and
//! the first module run meanwhile. File names contain a hash of the content, so that browsers can
//! cache the files for ever.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::Hasher as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};

use crate::{
    inline, names, shell,
    split::{LOADER_SCRIPT, PAGE_NAME, REST_MODULE, parts_dir},
    workspace::Workspace,
};

/// The comment in index.html after which the rest of the head is replaced.
const BUNDLE_MARK: &str =
    "<!-- `cargo xtask build` makes one style sheet and two scripts of what follows. -->";

/// WebAssembly features that Rust's code for the browser may use, and that wasm-opt therefore has
/// to accept.
const WASM_OPT_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Current names of the packages that xterm-js-rs imports by their old names.
const ALIASES: [&str; 4] = [
    "--alias:xterm=@xterm/xterm",
    "--alias:xterm-addon-fit=@xterm/addon-fit",
    "--alias:xterm-addon-web-links=@xterm/addon-web-links",
    "--alias:xterm-addon-webgl=@xterm/addon-webgl",
];

/// The name by which the page imports the module that limits the cost of output in xterm.js.
const LIMITS_MODULE: &str = "xterm-limits";

/// The file of that module.
const LIMITS_FILE: &str = "frontend/xterm-limits.mjs";

/// The code in [`LIMITS_FILE`] before the version of xterm.js that the module was written for.
const REVIEWED_VERSION_PREFIX: &str = "export const REVIEWED_VERSION = ";
/// The code in wasm-bindgen's script that turns text into HTML. Leptos uses it for HTML that is
/// compiled into the program.
const HTML_SINK: &str = ".innerHTML = getStringFromWasm0(arg1, arg2);";

/// The replacement for that code, which uses the only Trusted Types policy that the server's
/// Content-Security-Policy allows. Only the script has access to it.
const TRUSTED_SINK: &str = ".innerHTML = trusted.createHTML(getStringFromWasm0(arg1, arg2));";
const TRUSTED_TYPES_POLICY: &str = "const plain = { createHTML: (html) => html };\n\
                       const trusted = globalThis.trustedTypes?.createPolicy(\"leptos\", plain) ?? plain;\n";

/// The module name in the first module's imports from wasm-bindgen's script. wasm-bindgen writes it
/// before Trunk adds hashes to file names.
const GLUE_MODULE: &str = "./limpet-frontend_bg.js";

/// Number of failed attempts to load the terminal's script after which the page explains the
/// failure.
const FAILURES_BEFORE_EXPLANATION: u32 = 3;

/// The module that wasm-bindgen's script imports in place of the packages that are loaded later.
const DEFERRED_MODULE: &str = "later.js";

/// Replaces Trunk's files in `dist/` with fewer and smaller ones.
pub(crate) fn page(workspace: &Workspace) -> anyhow::Result<()> {
    let bundle = Bundle { workspace, parts: parts_dir(workspace), dist: workspace.path("dist") };
    let index = bundle.dist.join("index.html");
    let html = read(&index)?;
    let page = Page::parse(&html).with_context(|| format!("could not parse {}", index.display()))?;

    bundle.check_limits()?;
    let style = bundle.bundle_styles(&page.styles)?;
    let rest_module = bundle.optimise_module(&bundle.parts.join(REST_MODULE), "rest")?;
    let rest_module = bundle.add_hashed(&rest_module, "rest.wasm")?;
    let first_module = bundle.dist.join(format!("{}_bg.wasm", page.script));
    let first_module = bundle.optimise_module(&first_module, "page")?;
    let own_script = read(&bundle.dist.join(format!("{}.js", page.script)))?;
    let own_script = shorten_import_names(&first_module, &own_script)?;
    let first_module = bundle.add_hashed(&first_module, "page.wasm")?;
    let (own_script, terminal) = bundle.split_off_packages(&own_script)?;
    let own_script = use_trusted_types(&own_script)?;
    let script = bundle.bundle_script(&own_script, &first_module, &rest_module)?;
    bundle.remove_bundled(&page)?;

    let head = format!(
        "<link rel=\"modulepreload\" href=\"{terminal}\">\n\
         <link rel=\"preload\" href=\"{first_module}\" as=\"fetch\" type=\"application/wasm\" crossorigin>\n\
         <script type=\"module\" src=\"{script}\"></script>\n\
         <link rel=\"stylesheet\" href=\"{style}\">\n"
    );
    let html = [page.before, &head, page.after].concat();
    write(&index, &inline::minify(&html, workspace, &bundle.parts)?)
}

/// The parts of index.html as Trunk writes it.
struct Page<'a> {
    before: &'a str,
    after: &'a str,
    /// The script's name without its extension; the WebAssembly module has the same name.
    script: String,
    styles: Vec<String>,
}

impl<'a> Page<'a> {
    fn parse(html: &'a str) -> anyhow::Result<Self> {
        let (before, rest) = html.split_once(BUNDLE_MARK).context("the bundling comment is missing")?;
        let (head, _) = rest.split_once("</head>").context("it has no head")?;
        let after = &rest[head.len()..];
        let quoted = |(_, text): (usize, &str)| text.split(['"', '\'']).next().unwrap_or_default().to_owned();
        let start = format!("'./{PAGE_NAME}");
        let script = head.match_indices(&start).next().context("it has no script")?.0;
        let script = quoted((0, &head[script + "'./".len()..]));
        let link = "<link rel=\"stylesheet\" href=\"./";
        let styles = head.match_indices(link).map(|(at, _)| quoted((at, &head[at + link.len()..]))).collect();
        let script = script.strip_suffix(".js").context("its script's name does not end in .js")?.to_owned();
        Ok(Self { before, after, script, styles })
    }
}

/// Returns wasm-bindgen's script, changed to create HTML through the Trusted Types policy.
fn use_trusted_types(script: &str) -> anyhow::Result<String> {
    let sinks = script.matches(HTML_SINK).count();
    ensure!(
        sinks > 0 && sinks == script.matches(".innerHTML").count(),
        "wasm-bindgen's code for HTML has changed"
    );
    Ok([TRUSTED_TYPES_POLICY, &script.replace(HTML_SINK, TRUSTED_SINK)].concat())
}

/// Shortens the names of a module's imports, in the module and in wasm-bindgen's script, and
/// returns that script.
fn shorten_import_names(module: &Path, script: &str) -> anyhow::Result<String> {
    let error = || format!("could not rename the imports of {}", module.display());
    let content = fs::read(module).with_context(error)?;
    let (content, script) = names::shorten(&content, script, GLUE_MODULE).with_context(error)?;
    fs::write(module, content).with_context(error)?;
    Ok(script)
}

/// Parses a line of wasm-bindgen's script that imports from an npm package: the imported names, and
/// the package.
fn parse_package_import(line: &str) -> Option<(&str, &str)> {
    let (names, module) = line.strip_prefix("import {")?.split_once("} from '")?;
    Some((names, module.strip_suffix("';")?)).filter(|(_, module)| !module.starts_with('.'))
}

/// Returns the quoted string that follows `start`.
fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.split_once(start)?.1.strip_prefix('"')?.split('"').next()
}

struct Bundle<'a> {
    workspace: &'a Workspace,
    parts: PathBuf,
    dist: PathBuf,
}

impl Bundle<'_> {
    /// Combines all style sheets into one, and returns its name.
    fn bundle_styles(&self, sheets: &[String]) -> anyhow::Result<String> {
        ensure!(!sheets.is_empty(), "the page has no styles");
        let imports =
            sheets.iter().map(|sheet| format!("@import \"{}\";\n", self.dist.join(sheet).display()));
        self.bundle("all.css", &imports.collect::<String>(), "style.css")
    }

    /// Fails if the installed xterm.js is not the version that the limits were written for. Some of
    /// them replace its internals.
    fn check_limits(&self) -> anyhow::Result<()> {
        let limits = read(&self.workspace.path(LIMITS_FILE))?;
        let reviewed = quoted_after(&limits, REVIEWED_VERSION_PREFIX)
            .context("the limits name no version of xterm.js")?;
        let package = read(&self.workspace.path("frontend/node_modules/@xterm/xterm/package.json"))?;
        let installed = quoted_after(&package, "\"version\": ").context("xterm.js has no version")?;
        ensure!(
            reviewed == installed,
            "{LIMITS_FILE} was written for xterm.js {reviewed}, and this is {installed}: do what docs/xterm.md says about upgrades"
        );
        Ok(())
    }

    /// Moves the npm packages out of wasm-bindgen's script, and returns the remaining script and
    /// the name of the new one.
    fn split_off_packages(&self, script: &str) -> anyhow::Result<(String, String)> {
        let (imports, ours): (Vec<_>, Vec<_>) =
            script.lines().partition(|line| parse_package_import(line).is_some());
        let packages: Vec<_> = imports.into_iter().filter_map(parse_package_import).collect();
        ensure!(!packages.is_empty(), "the page has no terminal");
        let exports =
            packages.iter().map(|(names, module)| format!("export {{{names}}} from \"{module}\";\n"));
        let terminal = self.bundle("terminal-entry.js", &exports.collect::<String>(), "terminal.js")?;

        let names = packages.iter().map(|(names, _)| names.trim()).collect::<Vec<_>>().join(", ");
        // After a failed fetch, browsers do not fetch a module again under the same URL.
        let later = format!(
            "export let {names};\n\
             const script = \"./{terminal}\";\n\
             const load = (query, failures) => import(script + query).then(\n\
               (terminal) => ({{ {names} }} = terminal),\n\
               () => {{\n\
                 if (failures === {FAILURES_BEFORE_EXPLANATION}) globalThis.explainFailure?.({{ url: new URL(script, import.meta.url).href }});\n\
                 return new Promise((again) => setTimeout(again, 1000)).then(() => load(`?${{Date.now()}}`, failures + 1));\n\
               }},\n\
             );\n\
             globalThis.terminalLoaded = load(\"\", 1);\n"
        );
        write(&self.parts.join(DEFERRED_MODULE), &later)?;
        Ok((format!("import {{ {names} }} from \"./{DEFERRED_MODULE}\";\n{}", ours.join("\n")), terminal))
    }

    /// Combines all of limpet's own scripts into one, and returns its name.
    fn bundle_script(&self, own: &str, first_module: &str, rest_module: &str) -> anyhow::Result<String> {
        // The loader imports the script by this name.
        let name = format!("{PAGE_NAME}.js");
        write(&self.parts.join(&name), own)?;
        let loader = self.parts.join(LOADER_SCRIPT);
        let text = read(&loader)?;
        ensure!(text.contains(REST_MODULE), "{} does not load {REST_MODULE}", loader.display());
        write(&loader, &text.replace(REST_MODULE, rest_module))?;
        let start = format!(
            "import init from \"./{name}\";\n\
             const policy = \"If a reverse proxy or an extension adds a Content-Security-Policy, have it pass on limpet's own alone.\";\n\
             init({{ module_or_path: new URL(\"./{first_module}\", import.meta.url) }}).catch((error) => {{\n\
               // The page's own script may be blocked.\n\
               if (globalThis.explainFailure) return explainFailure({{ message: String(error) }});\n\
               document.getElementById(\"page\").textContent = `limpet could not start. ${{policy}} (${{error}})`;\n\
             }});\n"
        );
        self.bundle("start.js", &start, "page.js")
    }

    /// Bundles a text with esbuild, and returns the name of the bundle.
    fn bundle(&self, entry: &str, text: &str, name: &str) -> anyhow::Result<String> {
        let entry = self.parts.join(entry);
        write(&entry, text)?;
        let bundle = self.parts.join(name);
        let modules = self.workspace.path("frontend/node_modules");
        let mut esbuild = self.workspace.command(modules.join(".bin/esbuild"));
        esbuild
            .arg(entry)
            .args(["--bundle", "--minify", "--format=esm", "--log-level=warning"])
            .args(ALIASES);
        esbuild.arg(format!("--alias:{LIMITS_MODULE}={}", self.workspace.path(LIMITS_FILE).display()));
        esbuild.arg(format!("--outfile={}", bundle.display())).env("NODE_PATH", modules);
        shell::run(esbuild)?;
        self.add_hashed(&bundle, name)
    }

    /// Optimises a WebAssembly module for size.
    fn optimise_module(&self, from: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let small = self.parts.join(format!("{name}-small.wasm"));
        let mut optimiser =
            self.workspace.command(self.workspace.path("frontend/node_modules/.bin/wasm-opt"));
        optimiser.arg("-Oz").args(WASM_OPT_FEATURES).arg(from).arg("--output").arg(&small);
        shell::run(optimiser)?;
        Ok(small)
    }

    /// Copies a file into the page under a name that contains a hash, and returns that name.
    fn add_hashed(&self, from: &Path, name: &str) -> anyhow::Result<String> {
        let content = fs::read(from).with_context(|| format!("could not read {}", from.display()))?;
        let Some((stem, ending)) = name.split_once('.') else { bail!("{name} has no ending") };
        let mut hasher = DefaultHasher::new();
        hasher.write(&content);
        let name = format!("{stem}-{:016x}.{ending}", hasher.finish());
        let to = self.dist.join(&name);
        fs::write(&to, content).with_context(|| format!("could not write {}", to.display()))?;
        Ok(name)
    }

    /// Removes the files that were bundled.
    fn remove_bundled(&self, page: &Page<'_>) -> anyhow::Result<()> {
        let script = &page.script;
        let modules = [format!("{script}.js"), format!("{script}_bg.wasm")];
        for name in page.styles.iter().chain(&modules) {
            let path = self.dist.join(name);
            fs::remove_file(&path).with_context(|| format!("could not remove {}", path.display()))?;
        }
        let vendor = self.dist.join("vendor");
        fs::remove_dir_all(&vendor).with_context(|| format!("could not remove {}", vendor.display()))
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_our_own() {
        assert_eq!(parse_package_import("import { Terminal } from 'xterm';"), Some((" Terminal ", "xterm")));
        assert_eq!(parse_package_import("import { own } from './snippets/own.js';"), None);
        assert_eq!(parse_package_import("import * as import1 from \"./__wasm_split.js\""), None);
    }

    #[test]
    fn versions_are_read() {
        let module = "a\nexport const REVIEWED_VERSION = \"6.1\";\n";
        assert_eq!(quoted_after(module, REVIEWED_VERSION_PREFIX), Some("6.1"));
        assert_eq!(quoted_after("\"version\": 6", "\"version\": "), None);
    }

    #[test]
    fn text_becomes_html_by_the_policy_alone() {
        let script = "a: function(arg0, arg1, arg2) { arg0.innerHTML = getStringFromWasm0(arg1, arg2); }";
        let script = use_trusted_types(script).unwrap();
        assert!(
            script.ends_with("arg0.innerHTML = trusted.createHTML(getStringFromWasm0(arg1, arg2)); }"),
            "{script}"
        );
        assert!(use_trusted_types("arg0.innerHTML = text;").is_err() && use_trusted_types("").is_err());
    }

    #[test]
    fn what_trunk_has_made_is_found() {
        let html = format!(
            "<head>kept{BUNDLE_MARK}<link rel=\"stylesheet\" href=\"./a-1.css\" integrity=\"x\"/>\n\
             <link rel=\"stylesheet\" href=\"./b-2.css\"/>\n\
             <script>import init from './{PAGE_NAME}-3.js';</script></head><body>"
        );
        let page = Page::parse(&html).unwrap();
        assert_eq!((page.before, page.after), ("<head>kept", "</head><body>"));
        assert_eq!(page.script, format!("{PAGE_NAME}-3"));
        assert_eq!(page.styles, ["a-1.css", "b-2.css"]);
        assert!(Page::parse("<head></head>").is_err());
    }
}
