//! Minifies what index.html itself contains: its inline scripts, and the comments, which browsers
//! ignore.

use std::{fs, path::Path};

use anyhow::{Context, ensure};

use crate::{shell, workspace::Workspace};

const SCRIPT: (&str, &str) = ("<script>", "</script>");
const COMMENT: (&str, &str) = ("<!--", "-->");

/// Returns `html` without comments and with minified inline scripts. `scratch` is a directory for
/// temporary files.
pub(crate) fn minify(html: &str, workspace: &Workspace, scratch: &Path) -> anyhow::Result<String> {
    replace_sections(&without_comments(html)?, SCRIPT, |script| {
        let minified = minify_script(script, workspace, scratch)?;
        Ok([SCRIPT.0, &minified, SCRIPT.1].concat())
    })
}

fn without_comments(html: &str) -> anyhow::Result<String> {
    let html = replace_sections(html, COMMENT, |_| Ok(String::new()))?;
    Ok(html.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}

/// Replaces each section of `html` between the two delimiters, and the delimiters with it.
fn replace_sections(
    html: &str,
    (start, end): (&str, &str),
    mut replacement: impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let mut sections = html.split(start);
    let mut result = sections.next().unwrap_or_default().to_owned();
    for section in sections {
        let (inside, after) = section.split_once(end).with_context(|| format!("{start} has no {end}"))?;
        result += &replacement(inside)?;
        result += after;
    }
    Ok(result)
}

fn minify_script(script: &str, workspace: &Workspace, scratch: &Path) -> anyhow::Result<String> {
    let file = scratch.join("inline.js");
    fs::write(&file, script).with_context(|| format!("could not write {}", file.display()))?;
    let mut esbuild = workspace.command(workspace.path("frontend/node_modules/.bin/esbuild"));
    let minified = shell::capture(esbuild.arg(&file).args(["--minify", "--log-level=warning"]))?;
    ensure!(!minified.contains(SCRIPT.1), "an inline script contains the end of its element");
    Ok(minified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_their_lines_are_removed() {
        assert_eq!(without_comments("<p>\n<!-- a\nb -->\n<b><!-- c --></b>\n").unwrap(), "<p>\n<b></b>");
        assert!(without_comments("<!-- never closed").is_err());
    }

    #[test]
    fn each_section_is_replaced() {
        let html = "<script>a</script>-<script src=\"b\"></script>-<script>c</script>";
        let replaced = replace_sections(html, SCRIPT, |inside| Ok(inside.to_uppercase())).unwrap();
        assert_eq!(replaced, "A-<script src=\"b\"></script>-C");
    }
}
