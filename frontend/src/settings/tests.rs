use limpet_shared::theme::Appearance::{Dark, Light};
use serde_json::Value;

use super::*;
use crate::themes::find;

fn unusual() -> Settings {
    Settings {
        mode: Mode::Light,
        dark_theme: "nord".to_owned(),
        light_theme: "one-light".to_owned(),
        font: Font::Custom,
        custom_font: "Comic Mono".to_owned(),
        font_size: 20,
        cursor_blink: false,
        scrollback: 1,
        oversized: Oversized::Scroll,
        program_copies: ProgramCopies::Never,
        minimum_contrast: false,
        close_on_success: true,
    }
}

#[test]
fn settings_survive_being_stored() {
    assert_eq!(Settings::parse(&unusual().to_json()), unusual());
}

#[test]
fn nothing_stored_is_the_default() {
    for text in ["", "null", "[]", "{", "7"] {
        assert_eq!(Settings::parse(text), Settings::default(), "{text}");
    }
}

#[test]
fn a_bad_field_harms_no_other() {
    let stored: Value = serde_json::from_str(&unusual().to_json()).expect("JSON");
    let bad = [
        ("mode", Value::from("sepia")),
        ("dark-theme", Value::from(1)),
        ("light-theme", Value::Null),
        ("font", Value::from("wingdings")),
        ("custom-font", Value::from(false)),
        ("font-size", Value::from(4000)),
        ("cursor-blink", Value::from("yes")),
        ("scrollback", Value::from(-1)),
        ("oversized", Value::from("cut")),
        ("program-copies", Value::from("perhaps")),
        ("minimum-contrast", Value::from(4.5)),
        ("close-on-success", Value::Null),
    ];
    let default: Value = serde_json::from_str(&Settings::default().to_json()).expect("JSON");
    assert_eq!(default.as_object().map(serde_json::Map::len), Some(bad.len()), "every field is tried");
    for (name, value) in bad {
        let mut broken = stored.clone();
        broken[name] = value;
        let mut mended = stored.clone();
        mended[name] = default[name].clone();
        assert_eq!(Settings::parse(&broken.to_string()), Settings::parse(&mended.to_string()), "{name}");
    }
}

#[test]
fn the_system_decides_only_when_asked() {
    let mut settings = unusual();
    assert_eq!(settings.theme(Dark).id, "one-light");
    settings.mode = Mode::System;
    assert_eq!(settings.theme(Dark).id, "nord");
    assert_eq!(settings.theme(Light).id, "one-light");
}

#[test]
fn a_chosen_theme_is_seen_at_once() {
    let mut settings = Settings::default();
    settings.choose(find("dracula", Dark), Dark);
    assert_eq!((settings.mode, settings.theme(Dark).id), (Mode::System, "dracula"));
    settings.choose(find("github-light", Light), Dark);
    assert_eq!((settings.mode, settings.theme(Dark).id), (Mode::Light, "github-light"));
    settings.choose(find("nord", Dark), Light);
    assert_eq!((settings.mode, settings.theme(Light).id), (Mode::Dark, "nord"));
}

#[test]
fn fonts_grow_within_bounds() {
    let mut settings = Settings::default();
    settings.change_font_size(1);
    assert_eq!(settings.font_size, 15);
    settings.change_font_size(i16::MAX);
    assert_eq!(settings.font_size, *FONT_SIZES.end());
    settings.change_font_size(i16::MIN);
    assert_eq!(settings.font_size, *FONT_SIZES.start());
}

#[test]
fn every_font_ends_in_one_that_exists() {
    for (font, _) in Font::ALL {
        for custom_font in ["", " Hack "] {
            let settings = Settings { font, custom_font: custom_font.to_owned(), ..Settings::default() };
            assert!(settings.font_family().ends_with("monospace"));
        }
    }
    assert_eq!(unusual().font_family(), "Comic Mono, ui-monospace, monospace");
}
