use std::collections::BTreeSet;

use limpet_shared::theme::{Appearance, Rgb};

use super::{
    BUILT_IN_THEMES,
    colour::{contrast, luminance, mix, readable},
    default_id, find,
    page::{MIN_EDGE_CONTRAST, MIN_TEXT_CONTRAST, PageColours},
};

fn rgb(text: &str) -> Rgb {
    text.parse().expect("a colour")
}

#[test]
fn there_are_many_dark_and_light_ones() {
    let count = |appearance| BUILT_IN_THEMES.iter().filter(|theme| theme.appearance == appearance).count();
    assert!(count(Appearance::Dark) >= 8);
    assert!(count(Appearance::Light) >= 6);
}

#[test]
fn names_are_told_apart() {
    let names: BTreeSet<_> = BUILT_IN_THEMES.iter().map(|theme| theme.name).collect();
    assert_eq!(names.len(), BUILT_IN_THEMES.len());
}

#[test]
fn limpets_own_ones_are_there() {
    for appearance in [Appearance::Dark, Appearance::Light] {
        let own = find(default_id(appearance), appearance);
        assert_eq!((own.id, own.appearance), (default_id(appearance), appearance));
    }
}

#[test]
fn an_unknown_or_unfitting_id_is_limpets_own() {
    assert_eq!(find("no-such-theme", Appearance::Light).id, "limpet-light");
    assert_eq!(find("nord", Appearance::Light).id, "limpet-light");
    assert_eq!(find("nord", Appearance::Dark).id, "nord");
}

#[test]
fn themes_are_as_dark_or_light_as_they_say() {
    for built_in in BUILT_IN_THEMES {
        let theme = built_in.theme();
        let dark = luminance(theme.background) < luminance(theme.foreground);
        assert_eq!(dark, theme.appearance == Appearance::Dark, "{}", theme.name);
    }
}

#[test]
fn the_page_is_readable_in_every_theme() {
    for built_in in BUILT_IN_THEMES {
        let page = PageColours::of(&built_in.theme());
        let grounds = [page.terminal, page.bar, page.surface, page.raised];
        for ground in grounds {
            for text in [page.text, page.muted, page.accent, page.good, page.warning, page.danger] {
                let ratio = contrast(text, ground);
                assert!(ratio >= MIN_TEXT_CONTRAST, "{}: {text} on {ground} has {ratio:.2}", built_in.name);
            }
            let ratio = contrast(page.edge, ground);
            assert!(
                ratio >= MIN_EDGE_CONTRAST,
                "{}: edge {} on {ground} has {ratio:.2}",
                built_in.name,
                page.edge
            );
        }
        let ratio = contrast(page.on_accent, page.accent);
        assert!(ratio >= MIN_TEXT_CONTRAST, "{}: text on the accent has {ratio:.2}", built_in.name);
    }
}

#[test]
fn limpets_own_colours_are_readable_in_a_terminal() {
    for appearance in [Appearance::Dark, Appearance::Light] {
        let theme = find(default_id(appearance), appearance).theme();
        assert!(contrast(theme.foreground, theme.background) >= 7.0);
        for colour in &theme.ansi[1..7] {
            let ratio = contrast(*colour, theme.background);
            assert!(ratio >= MIN_TEXT_CONTRAST, "{}: {colour} has {ratio:.2}", theme.name);
        }
    }
}

#[test]
fn contrast_is_that_of_wcag() {
    assert!((contrast(rgb("#000000"), rgb("#ffffff")) - 21.0).abs() < 1e-9);
    assert!((contrast(rgb("#777777"), rgb("#777777")) - 1.0).abs() < 1e-9);
    // The lightest grey that passes on white is a well-known boundary case.
    assert!(contrast(rgb("#767676"), rgb("#ffffff")) >= 4.5);
    assert!(contrast(rgb("#777777"), rgb("#ffffff")) < 4.5);
}

#[test]
fn mixing_goes_from_one_end_to_the_other() {
    let (a, b) = (rgb("#102030"), rgb("#f0e0d0"));
    assert_eq!(mix(a, b, 0), a);
    assert_eq!(mix(a, b, 100), b);
    assert_eq!(mix(a, b, 50), rgb("#808080"));
}

#[test]
fn what_is_readable_stays_as_it_is() {
    assert_eq!(readable(rgb("#ffffff"), &[rgb("#000000")], 4.5), rgb("#ffffff"));
    assert_ne!(readable(rgb("#555555"), &[rgb("#444444")], 4.5), rgb("#555555"));
}

#[test]
fn colours_become_custom_properties() {
    let css = PageColours::of(&find("nord", Appearance::Dark).theme()).css();
    assert!(css.starts_with("color-scheme:dark;--terminal:#2e3440;"), "{css}");
    assert!(css.contains("--on-accent:#"), "{css}");
}

#[test]
fn the_first_paint_has_limpets_own_colours() {
    let file = include_str!("../../style/colours.css");
    let dark = PageColours::of(&find("limpet-dark", Appearance::Dark).theme()).css();
    let light = PageColours::of(&find("limpet-light", Appearance::Light).theme()).css();
    let packed: String = file.split_whitespace().collect();
    for css in [dark, light] {
        let wanted: String = css.split_whitespace().collect();
        assert!(packed.contains(&format!("{{{wanted}}}")), "style/colours.css should have\n{css}");
    }
}

#[test]
fn a_server_that_knows_no_colours_has_limpets_own() {
    let own = super::default_theme(Appearance::Dark).theme();
    assert_eq!(limpet_shared::theme::Colours::default(), own.into());
}
