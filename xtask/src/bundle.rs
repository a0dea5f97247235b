//! Puts together what Trunk has built: one style sheet, two scripts, two WebAssembly modules. Each request costs a browser some
//! milliseconds before the first prompt. One of the scripts is xterm.js with its add-ons, which takes longer to be parsed than anything else:
//! meanwhile the other one and the first module are at work. Their names hold a hash of what is in them, so that browsers can keep them for good.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::Hasher as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};

use crate::{
    names, shell,
    split::{LOADER, NAME, REST, parts},
    workspace::Workspace,
};

/// In index.html: what stands between this and the end of the head is replaced.
const MARK: &str = "<!-- `cargo xtask build` makes one style sheet and two scripts of what follows. -->";

/// What Rust's code for the browser may use, and so what has to be left in it.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// xterm-js-rs imports these by their names of old.
const ALIASES: [&str; 4] = [
    "--alias:xterm=@xterm/xterm",
    "--alias:xterm-addon-fit=@xterm/addon-fit",
    "--alias:xterm-addon-web-links=@xterm/addon-web-links",
    "--alias:xterm-addon-webgl=@xterm/addon-webgl",
];

/// What bounds the cost of output in xterm.js, by the name under which the page imports it.
const LIMITS: (&str, &str) = ("xterm-limits", "frontend/xterm-limits.mjs");

/// In [`LIMITS`]: the version of xterm.js that it was written for.
const REVIEWED: &str = "export const REVIEWED_VERSION = ";
/// How wasm-bindgen's script makes elements of text. Leptos has it do that with HTML that is compiled into the program.
const HTML_SINK: &str = ".innerHTML = getStringFromWasm0(arg1, arg2);";

/// The same, by the one policy of Trusted Types that the server's Content-Security-Policy allows. Nothing but the script has it.
const TRUSTED_SINK: &str = ".innerHTML = trusted.createHTML(getStringFromWasm0(arg1, arg2));";
const TRUSTED: &str = "const plain = { createHTML: (html) => html };\n\
                       const trusted = globalThis.trustedTypes?.createPolicy(\"leptos\", plain) ?? plain;\n";

/// Whence the first module imports what wasm-bindgen's script has for it. Trunk's hash stands in no name yet by then.
const GLUE: &str = "./limpet-frontend_bg.js";

/// Failed tries to load the terminal's script after which the page says so.
const EXPLAINED_AFTER: u32 = 3;

/// What wasm-bindgen's script imports in the place of what comes later.
const LATER: &str = "later.js";

/// Replaces Trunk's files in `dist/` by fewer and smaller ones.
pub(crate) fn page(workspace: &Workspace) -> anyhow::Result<()> {
    let bundle = Bundle { workspace, parts: parts(workspace), dist: workspace.path("dist") };
    let index = bundle.dist.join("index.html");
    let html = read(&index)?;
    let page = Page::parse(&html).with_context(|| format!("could not make out {}", index.display()))?;

    bundle.check_limits()?;
    let style = bundle.style(&page.styles)?;
    let rest = bundle.module(&bundle.parts.join(REST), "rest")?;
    let rest = bundle.take(&rest, "rest.wasm")?;
    let first = bundle.module(&bundle.dist.join(format!("{}_bg.wasm", page.script)), "page")?;
    let ours = read(&bundle.dist.join(format!("{}.js", page.script)))?;
    let ours = named(&first, &ours)?;
    let first = bundle.take(&first, "page.wasm")?;
    let (ours, terminal) = bundle.apart(&ours)?;
    let ours = trusted(&ours)?;
    let script = bundle.script(&ours, &first, &rest)?;
    bundle.sweep(&page)?;

    let head = format!(
        "<link rel=\"modulepreload\" href=\"{terminal}\">\n\
         <link rel=\"preload\" href=\"{first}\" as=\"fetch\" type=\"application/wasm\" crossorigin>\n\
         <script type=\"module\" src=\"{script}\"></script>\n\
         <link rel=\"stylesheet\" href=\"{style}\">\n"
    );
    write(&index, &[page.before, &head, page.after].concat())
}

/// The page as Trunk has made it.
struct Page<'a> {
    before: &'a str,
    after: &'a str,
    /// The script's name without its ending; the WebAssembly module has the same.
    script: String,
    styles: Vec<String>,
}

impl<'a> Page<'a> {
    fn parse(html: &'a str) -> anyhow::Result<Self> {
        let (before, rest) = html.split_once(MARK).context("it has no mark")?;
        let (head, _) = rest.split_once("</head>").context("it has no head")?;
        let after = &rest[head.len()..];
        let quoted = |(_, text): (usize, &str)| text.split(['"', '\'']).next().unwrap_or_default().to_owned();
        let start = format!("'./{NAME}");
        let script = head.match_indices(&start).next().context("it has no script")?.0;
        let script = quoted((0, &head[script + "'./".len()..]));
        let link = "<link rel=\"stylesheet\" href=\"./";
        let styles = head.match_indices(link).map(|(at, _)| quoted((at, &head[at + link.len()..]))).collect();
        let script = script.strip_suffix(".js").context("its script is none")?.to_owned();
        Ok(Self { before, after, script, styles })
    }
}

/// wasm-bindgen's script, with its text made into HTML by the policy for that.
fn trusted(script: &str) -> anyhow::Result<String> {
    let sinks = script.matches(HTML_SINK).count();
    ensure!(
        sinks > 0 && sinks == script.matches(".innerHTML").count(),
        "wasm-bindgen makes HTML in another way than it did"
    );
    Ok([TRUSTED, &script.replace(HTML_SINK, TRUSTED_SINK)].concat())
}

/// Gives what a module imports short names, in itself and in wasm-bindgen's script: that script.
fn named(module: &Path, script: &str) -> anyhow::Result<String> {
    let error = || format!("could not name anew what {} imports", module.display());
    let content = fs::read(module).with_context(error)?;
    let (content, script) = names::shorten(&content, script, GLUE).with_context(error)?;
    fs::write(module, content).with_context(error)?;
    Ok(script)
}

/// What a line of wasm-bindgen's script imports from a package of npm, and from which.
fn package(line: &str) -> Option<(&str, &str)> {
    let (names, module) = line.strip_prefix("import {")?.split_once("} from '")?;
    Some((names, module.strip_suffix("';")?)).filter(|(_, module)| !module.starts_with('.'))
}

/// The quoted string that follows `start`.
fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.split_once(start)?.1.strip_prefix('"')?.split('"').next()
}

struct Bundle<'a> {
    workspace: &'a Workspace,
    parts: PathBuf,
    dist: PathBuf,
}

impl Bundle<'_> {
    /// One style sheet of all; its name.
    fn style(&self, sheets: &[String]) -> anyhow::Result<String> {
        ensure!(!sheets.is_empty(), "the page has no styles");
        let imports =
            sheets.iter().map(|sheet| format!("@import \"{}\";\n", self.dist.join(sheet).display()));
        self.bundled("all.css", &imports.collect::<String>(), "style.css")
    }

    /// Fails for an xterm.js whose sources nobody has held against the limits, part of which replace internals.
    fn check_limits(&self) -> anyhow::Result<()> {
        let limits = read(&self.workspace.path(LIMITS.1))?;
        let reviewed = quoted_after(&limits, REVIEWED).context("the limits name no version of xterm.js")?;
        let package = read(&self.workspace.path("frontend/node_modules/@xterm/xterm/package.json"))?;
        let installed = quoted_after(&package, "\"version\": ").context("xterm.js has no version")?;
        ensure!(
            reviewed == installed,
            "{} was written for xterm.js {reviewed}, and this is {installed}: do what docs/xterm.md says about upgrades",
            LIMITS.1
        );
        Ok(())
    }

    /// Takes what comes from npm out of wasm-bindgen's script: what is left of that, and the name of the other one.
    fn apart(&self, script: &str) -> anyhow::Result<(String, String)> {
        let (imports, ours): (Vec<_>, Vec<_>) = script.lines().partition(|line| package(line).is_some());
        let packages: Vec<_> = imports.into_iter().filter_map(package).collect();
        ensure!(!packages.is_empty(), "the page has no terminal");
        let exports =
            packages.iter().map(|(names, module)| format!("export {{{names}}} from \"{module}\";\n"));
        let terminal = self.bundled("terminal-entry.js", &exports.collect::<String>(), "terminal.js")?;

        let names = packages.iter().map(|(names, _)| names.trim()).collect::<Vec<_>>().join(", ");
        // A script that could not be fetched is not fetched again under its name.
        let later = format!(
            "export let {names};\n\
             const script = \"./{terminal}\";\n\
             const load = (query, failures) => import(script + query).then(\n\
               (terminal) => ({{ {names} }} = terminal),\n\
               () => {{\n\
                 if (failures === {EXPLAINED_AFTER}) globalThis.explainFailure?.({{ url: new URL(script, import.meta.url).href }});\n\
                 return new Promise((again) => setTimeout(again, 1000)).then(() => load(`?${{Date.now()}}`, failures + 1));\n\
               }},\n\
             );\n\
             globalThis.terminalLoaded = load(\"\", 1);\n"
        );
        write(&self.parts.join(LATER), &later)?;
        Ok((format!("import {{ {names} }} from \"./{LATER}\";\n{}", ours.join("\n")), terminal))
    }

    /// One script of all that is ours; its name.
    fn script(&self, ours: &str, first: &str, rest: &str) -> anyhow::Result<String> {
        // By this name the loader knows it.
        let name = format!("{NAME}.js");
        write(&self.parts.join(&name), ours)?;
        let loader = self.parts.join(LOADER);
        let text = read(&loader)?;
        ensure!(text.contains(REST), "{} does not load {REST}", loader.display());
        write(&loader, &text.replace(REST, rest))?;
        let start = format!(
            "import init from \"./{name}\";\n\
             const policy = \"If a reverse proxy or an extension adds a Content-Security-Policy, have it pass on limpet's own alone.\";\n\
             init({{ module_or_path: new URL(\"./{first}\", import.meta.url) }}).catch((error) => {{\n\
               // The page's own script may be blocked.\n\
               if (globalThis.explainFailure) return explainFailure({{ message: String(error) }});\n\
               document.getElementById(\"page\").textContent = `limpet could not start. ${{policy}} (${{error}})`;\n\
             }});\n"
        );
        self.bundled("start.js", &start, "page.js")
    }

    /// What esbuild makes of this; its name.
    fn bundled(&self, entry: &str, text: &str, name: &str) -> anyhow::Result<String> {
        let entry = self.parts.join(entry);
        write(&entry, text)?;
        let bundle = self.parts.join(name);
        let modules = self.workspace.path("frontend/node_modules");
        let mut esbuild = self.workspace.command(modules.join(".bin/esbuild"));
        esbuild
            .arg(entry)
            .args(["--bundle", "--minify", "--format=esm", "--log-level=warning"])
            .args(ALIASES);
        esbuild.arg(format!("--alias:{}={}", LIMITS.0, self.workspace.path(LIMITS.1).display()));
        esbuild.arg(format!("--outfile={}", bundle.display())).env("NODE_PATH", modules);
        shell::run(esbuild)?;
        self.take(&bundle, name)
    }

    /// A WebAssembly module, as small as can be.
    fn module(&self, from: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let small = self.parts.join(format!("{name}-small.wasm"));
        let mut optimiser =
            self.workspace.command(self.workspace.path("frontend/node_modules/.bin/wasm-opt"));
        optimiser.arg("-Oz").args(FEATURES).arg(from).arg("--output").arg(&small);
        shell::run(optimiser)?;
        Ok(small)
    }

    /// Puts a file into the page, by a name with a hash in it: that name.
    fn take(&self, from: &Path, name: &str) -> anyhow::Result<String> {
        let content = fs::read(from).with_context(|| format!("could not read {}", from.display()))?;
        let Some((stem, ending)) = name.split_once('.') else { bail!("{name} has no ending") };
        let mut hasher = DefaultHasher::new();
        hasher.write(&content);
        let name = format!("{stem}-{:016x}.{ending}", hasher.finish());
        let to = self.dist.join(&name);
        fs::write(&to, content).with_context(|| format!("could not write {}", to.display()))?;
        Ok(name)
    }

    /// Removes what has been put together.
    fn sweep(&self, page: &Page<'_>) -> anyhow::Result<()> {
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
        assert_eq!(package("import { Terminal } from 'xterm';"), Some((" Terminal ", "xterm")));
        assert_eq!(package("import { own } from './snippets/own.js';"), None);
        assert_eq!(package("import * as import1 from \"./__wasm_split.js\""), None);
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(quoted_after("a\nexport const REVIEWED_VERSION = \"6.1\";\n", REVIEWED), Some("6.1"));
        assert_eq!(quoted_after("\"version\": 6", "\"version\": "), None);
    }

    #[test]
    fn text_becomes_html_by_the_policy_alone() {
        let script =
            trusted("a: function(arg0, arg1, arg2) { arg0.innerHTML = getStringFromWasm0(arg1, arg2); }")
                .unwrap();
        assert!(
            script.ends_with("arg0.innerHTML = trusted.createHTML(getStringFromWasm0(arg1, arg2)); }"),
            "{script}"
        );
        assert!(trusted("arg0.innerHTML = text;").is_err() && trusted("").is_err());
    }

    #[test]
    fn what_trunk_has_made_is_found() {
        let html = format!(
            "<head>kept{MARK}<link rel=\"stylesheet\" href=\"./a-1.css\" integrity=\"x\"/>\n\
             <link rel=\"stylesheet\" href=\"./b-2.css\"/>\n\
             <script>import init from './{NAME}-3.js';</script></head><body>"
        );
        let page = Page::parse(&html).unwrap();
        assert_eq!((page.before, page.after), ("<head>kept", "</head><body>"));
        assert_eq!(page.script, format!("{NAME}-3"));
        assert_eq!(page.styles, ["a-1.css", "b-2.css"]);
        assert!(Page::parse("<head></head>").is_err());
    }
}
