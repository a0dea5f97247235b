//! Shows all of the page except its first terminal. `cargo xtask build` makes a separate
//! WebAssembly module of this part; under `trunk serve` there is one module.

use leptos::{mount::mount_to, prelude::*};
use limpet_frontend::{app::Page, dom, startup::Startup};
use wasm_bindgen::{JsCast as _, UnwrapThrowExt as _};

/// Shows the page around the first terminal.
#[cfg(not(feature = "split"))]
pub(crate) fn show(startup: Startup) -> impl Future<Output = ()> {
    mount(startup);
    std::future::ready(())
}

/// Loads the second module, and shows the page around the first terminal.
#[cfg(feature = "split")]
pub(crate) async fn show(startup: Startup) {
    /// Delay between two attempts to load the module, in milliseconds.
    const RETRY_DELAY_MS: f64 = 1000.0;
    /// Number of failed attempts after which the page explains the failure.
    const EXPLAIN_AFTER_FAILURES: u32 = 3;

    let mut failures = 0_u32;
    while split::load().await.is_err() {
        failures = failures.saturating_add(1);
        if failures == EXPLAIN_AFTER_FAILURES {
            dom::explain_failure();
        }
        dom::sleep(RETRY_DELAY_MS).await;
    }
    // The module is loaded, so this cannot fail.
    let _ = split::show(Box::new(startup)).await;
}

#[cfg(feature = "split")]
#[expect(clippy::unnecessary_wraps, reason = "only loading can fail, but the attribute requires a `Result`")]
mod split {
    use limpet_frontend::startup::Startup;
    use wasm_split_helpers::{SplitLoaderError, wasm_split};

    #[wasm_split(page, fallible, preload(load))]
    pub fn show(startup: Box<Startup>) -> Result<(), SplitLoaderError> {
        super::mount(*startup);
        Ok(())
    }
}

fn mount(startup: Startup) {
    // In index.html this element holds a skeleton of the page, which the page now replaces.
    let place = document().get_element_by_id("page").unwrap_throw();
    place.set_inner_html("");
    dom::end_explanation();
    // The page lives as long as its window, so it is never unmounted.
    mount_to(place.unchecked_into(), || view! { <Page startup/> }).forget();
}
