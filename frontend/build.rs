//! Collects `themes/*.toml` into the table that `src/themes.rs` includes. A new theme is only a new
//! file, and the page needs no TOML parser.

use std::{env, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use limpet_shared::theme::{Appearance, Rgb, Theme};

fn main() -> Result<()> {
    if env::var_os("CARGO_FEATURE_SPLIT").is_some() {
        // The splitter follows the relocations that the linker keeps.
        println!("cargo::rustc-link-arg-bins=--emit-relocs");
    }
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("themes");
    println!("cargo::rerun-if-changed={}", folder.display());
    let table = themes_table(&folder)?;
    let target = Path::new(&env::var("OUT_DIR")?).join("themes.rs");
    fs::write(&target, table).with_context(|| format!("cannot write {}", target.display()))
}

/// Returns a Rust expression for all themes in `folder`, ordered by id.
fn themes_table(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let entry = read_theme(&file).with_context(|| format!("{} is not a valid theme", file.display()))?;
        table.push_str(&entry);
    }
    table.push(']');
    Ok(table)
}

fn read_theme(file: &Path) -> Result<String> {
    let id = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(!id.is_empty() && id.chars().all(legal), "a theme's file name may contain only a-z, 0-9 and '-'");
    let theme: Theme = toml::from_str(&fs::read_to_string(file)?)?;
    theme_entry(id, &theme)
}

fn theme_entry(id: &str, theme: &Theme) -> Result<String> {
    let appearance = match theme.appearance {
        Appearance::Dark => "Dark",
        Appearance::Light => "Light",
    };
    let mut text = String::new();
    writeln!(
        text,
        "BuiltInTheme {{ id: {id:?}, name: {:?}, appearance: Appearance::{appearance},",
        theme.name
    )?;
    let Theme { background, foreground, cursor, selection, accent, .. } = *theme;
    let named = [background, foreground, cursor, selection, accent].map(colour);
    let [background, foreground, cursor, selection, accent] = named;
    writeln!(text, "background: {background}, foreground: {foreground}, cursor: {cursor},")?;
    writeln!(text, "selection: {selection}, accent: {accent},")?;
    writeln!(text, "ansi: [{}] }},", theme.ansi.map(colour).join(", "))?;
    Ok(text)
}

fn colour(Rgb { red, green, blue }: Rgb) -> String {
    format!("Rgb {{ red: {red}, green: {green}, blue: {blue} }}")
}
