//! The settings. Each change is applied and stored at once.

use leptos::{html, prelude::*};
use limpet_shared::theme::Appearance;

use super::{
    dialog::{Dialog, Heading},
    skipped_output::thousands,
};
use crate::{
    app::App,
    commands::{Action, describe},
    settings::{FONT_SIZES, Font, Mode, Oversized, ProgramCopies, SCROLLBACK, Settings},
    themes::{self, BUILT_IN_THEMES},
};

/// The dialog with all settings.
#[component]
pub fn SettingsDialog() -> impl IntoView {
    view! {
        <Dialog label="Settings" class="settings">
            <Heading title="Settings"/>
            <div class="settings-body">
                <Colours/>
                <Text/>
                <Terminals/>
            </div>
        </Dialog>
    }
}

#[component]
fn Colours() -> impl IntoView {
    let app = App::expect();
    let mode = Memo::new(move |_| app.settings.with(|settings| settings.mode));
    let choice = move |value: Mode, name: &'static str| {
        view! {
            <label class="choice">
                <input type="radio" name="mode" prop:checked=move || mode.get() == value
                    on:change=move |_| app.change_settings(|settings| settings.mode = value)/>
                <span>{name}</span>
            </label>
        }
    };
    view! {
        <fieldset>
            <legend>"Colours"</legend>
            <div class="choices" role="radiogroup" aria-label="Appearance">
                {choice(Mode::System, "Match system")}
                {choice(Mode::Dark, "Dark")}
                {choice(Mode::Light, "Light")}
            </div>
            <ThemeField label="Dark theme" appearance=Appearance::Dark/>
            <ThemeField label="Light theme" appearance=Appearance::Light/>
            <button type="button" class="button" on:click=app.on_click(Action::ChooseTheme)>
                {describe(Action::ChooseTheme).0}
            </button>
        </fieldset>
    }
}

#[component]
fn ThemeField(label: &'static str, appearance: Appearance) -> impl IntoView {
    let app = App::expect();
    let chosen = Memo::new(move |_| app.settings.with(|settings| settings.theme_for(appearance).id));
    let on_change = move |event| {
        let theme = themes::find(&event_target_value(&event), appearance);
        app.choose_theme(theme);
    };
    let fitting = BUILT_IN_THEMES.iter().filter(move |theme| theme.appearance == appearance);
    let options = fitting.map(|theme| {
        view! { <option value=theme.id selected=move || chosen.get() == theme.id>{theme.name}</option> }
    });
    view! {
        <label class="field inline">
            <span>{label}</span>
            <select prop:value=chosen on:change=on_change>{options.collect_view()}</select>
        </label>
    }
}

#[component]
fn Text() -> impl IntoView {
    let app = App::expect();
    let font = Memo::new(move |_| app.settings.with(|settings| settings.font));
    let custom = Memo::new(move |_| app.settings.with(|settings| settings.custom_font.clone()));
    let on_font = move |event| {
        let place = event_target_value(&event).parse().unwrap_or(0);
        if let Some(&(font, _)) = Font::ALL.get::<usize>(place) {
            app.change_settings(|settings| settings.font = font);
        }
    };
    let options = Font::ALL.into_iter().enumerate().map(move |(place, (value, name))| {
        view! { <option value=place.to_string() selected=move || font.get() == value>{name}</option> }
    });
    view! {
        <fieldset>
            <legend>"Text"</legend>
            <label class="field inline">
                <span>"Font"</span>
                <select on:change=on_font>{options.collect_view()}</select>
            </label>
            <label class="field inline" hidden=move || font.get() != Font::Custom>
                <span>"Custom font"</span>
                <input type="text" placeholder="Hack, \"Fira Code\"" spellcheck="false" autocomplete="off"
                    prop:value=custom
                    on:input=move |event| app.change_settings(|s| s.custom_font = event_target_value(&event))/>
            </label>
            <NumberField label="Size" unit="px" from=*FONT_SIZES.start() to=*FONT_SIZES.end() step=1
                get=|settings| settings.font_size.into()
                set=|settings, size| settings.font_size = u16::try_from(size).unwrap_or(settings.font_size)/>
            <p class="sample" style:font-family=move || app.settings.with(Settings::font_family)
                style:font-size=move || format!("{}px", app.settings.with(|settings| settings.font_size))>
                "~/src $ 0O 1lI {}[] -> =="
            </p>
        </fieldset>
    }
}

#[component]
fn Terminals() -> impl IntoView {
    let app = App::expect();
    let blink = Memo::new(move |_| app.settings.with(|settings| settings.cursor_blink));
    let contrast = Memo::new(move |_| app.settings.with(|settings| settings.minimum_contrast));
    let closes = Memo::new(move |_| app.settings.with(|settings| settings.close_on_success));
    let oversized = Memo::new(move |_| app.settings.with(|settings| settings.oversized));
    let choice = move |value: Oversized, name: &'static str| {
        view! {
            <label class="choice">
                <input type="radio" name="oversized" prop:checked=move || oversized.get() == value
                    on:change=move |_| app.change_settings(|settings| settings.oversized = value)/>
                <span>{name}</span>
            </label>
        }
    };
    let copies = Memo::new(move |_| app.settings.with(|settings| settings.program_copies));
    let copy_choice = move |value: ProgramCopies, name: &'static str| {
        view! {
            <label class="choice">
                <input type="radio" name="program-copies" prop:checked=move || copies.get() == value
                    on:change=move |_| app.change_settings(|settings| settings.program_copies = value)/>
                <span>{name}</span>
            </label>
        }
    };
    view! {
        <fieldset>
            <legend>"Terminal"</legend>
            <label class="field inline switch">
                <span>"Blinking cursor"</span>
                <input type="checkbox" role="switch" prop:checked=blink
                    on:change=move |event| app.change_settings(|s| s.cursor_blink = event_target_checked(&event))/>
            </label>
            <label class="field inline switch">
                <span>"Improve contrast of text"</span>
                <input type="checkbox" role="switch" prop:checked=contrast
                    on:change=move |event| app.change_settings(|s| s.minimum_contrast = event_target_checked(&event))/>
            </label>
            <label class="field inline switch">
                <span>"Close a tab when its program succeeds"</span>
                <input type="checkbox" role="switch" prop:checked=closes
                    on:change=move |event| app.change_settings(|s| s.close_on_success = event_target_checked(&event))/>
            </label>
            <NumberField label="Scrollback" unit="lines" from=*SCROLLBACK.start() to=*SCROLLBACK.end() step=1000
                get=|settings| settings.scrollback set=|settings, lines| settings.scrollback = lines/>
            <div class="field">
                <span id="oversized">"A terminal larger than this window"</span>
                <div class="choices" role="radiogroup" aria-labelledby="oversized">
                    {choice(Oversized::Shrink, "Shrink the text to fit")}
                    {choice(Oversized::Scroll, "Scroll")}
                </div>
            </div>
            <div class="field">
                <span id="program-copies">"Programs that copy to the clipboard"</span>
                <div class="choices" role="radiogroup" aria-labelledby="program-copies">
                    {copy_choice(ProgramCopies::Ask, "Ask")}
                    {copy_choice(ProgramCopies::Always, "Always")}
                    {copy_choice(ProgramCopies::Never, "Never")}
                </div>
            </div>
        </fieldset>
    }
}

/// The result of reading a text as a number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberInput {
    /// The number is within the bounds.
    Valid(u32),
    /// More digits may bring the number within the bounds.
    Unfinished,
    /// The text is not a number within the bounds.
    Invalid,
}

impl NumberInput {
    fn parse(text: &str, from: u32, to: u32) -> Self {
        let text = text.trim();
        match text.parse::<u32>() {
            Ok(number) if (from..=to).contains(&number) => Self::Valid(number),
            Ok(number) if number > 0 && number < from => Self::Unfinished,
            Err(_) if text.is_empty() => Self::Unfinished,
            _ => Self::Invalid,
        }
    }
}

/// A field for a number within bounds. Other numbers are refused with a message below the field.
#[component]
fn NumberField<N: Into<u32> + 'static>(
    label: &'static str,
    unit: &'static str,
    from: N,
    to: N,
    step: u32,
    get: fn(&Settings) -> u32,
    set: fn(&mut Settings, u32),
) -> impl IntoView {
    let app = App::expect();
    let (from, to): (u32, u32) = (from.into(), to.into());
    let value = Memo::new(move |_| app.settings.with(get).to_string());
    let input = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    let refuse = move || {
        let [from, to, now] =
            [from, to, app.settings.with_untracked(get)].map(|number| thousands(number.into()));
        problem.set(Some(format!("Choose from {from} to {to} {unit}. It is still {now}.")));
    };
    let on_input = move |event| match NumberInput::parse(&event_target_value(&event), from, to) {
        NumberInput::Valid(number) => {
            problem.set(None);
            app.change_settings(|settings| set(settings, number));
        }
        NumberInput::Unfinished => problem.set(None),
        NumberInput::Invalid => refuse(),
    };
    // The user has finished typing.
    let on_change = move |event| {
        if !matches!(NumberInput::parse(&event_target_value(&event), from, to), NumberInput::Valid(_)) {
            refuse();
            if let Some(input) = input.get_untracked() {
                input.set_value(&value.get_untracked());
            }
        }
    };
    let problem_id = format!("{}-problem", label.to_lowercase());
    view! {
        <label class="field inline">
            <span>{label}</span>
            <span class="number">
                <input node_ref=input type="number" inputmode="numeric" min=from.to_string() max=to.to_string()
                    step=step.to_string() prop:value=value on:input=on_input on:change=on_change
                    aria-invalid=move || problem.with(Option::is_some).to_string() aria-describedby=problem_id.clone()/>
                <span class="unit">{unit}</span>
            </span>
        </label>
        <p id=problem_id class="problem number-problem" role="alert">{problem}</p>
    }
}

#[cfg(test)]
mod tests {
    use super::NumberInput;

    #[test]
    fn a_number_out_of_bounds_is_told_from_one_that_is_yet_to_be_typed() {
        use NumberInput::{Invalid, Unfinished, Valid};

        for (text, input) in [
            ("8", Valid(8)),
            (" 40 ", Valid(40)),
            ("", Unfinished),
            ("4", Unfinished),
            ("41", Invalid),
            ("0", Invalid),
            ("-1", Invalid),
            ("14.5", Invalid),
            ("1e1", Invalid),
            ("99999999999999999999", Invalid),
        ] {
            assert_eq!(NumberInput::parse(text, 8, 40), input, "{text:?}");
        }
        assert_eq!(NumberInput::parse("0", 0, 100_000), Valid(0));
    }
}
