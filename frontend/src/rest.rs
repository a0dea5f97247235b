//! All of the page but its first terminal. It is a WebAssembly module of its own where the page is built by `cargo xtask build`;
//! under `trunk serve` it is not.

use leptos::{mount::mount_to, prelude::*};
use limpet_frontend::{app::Page, dom, opening::Opening};
use wasm_bindgen::{JsCast as _, UnwrapThrowExt as _};

/// Shows the page around what there is already.
#[cfg(not(feature = "split"))]
pub(crate) fn show(opening: Opening) -> impl Future<Output = ()> {
    mount(opening);
    std::future::ready(())
}

/// Loads the page, and shows it around what there is already.
#[cfg(feature = "split")]
pub(crate) async fn show(opening: Opening) {
    /// Between two tries to load it, in milliseconds.
    const AGAIN_MS: f64 = 1000.0;
    /// Failed tries after which the page says so.
    const EXPLAINED_AFTER: u32 = 3;

    let mut failures = 0_u32;
    while split::load().await.is_err() {
        failures = failures.saturating_add(1);
        if failures == EXPLAINED_AFTER {
            dom::explain_failure();
        }
        dom::pause(AGAIN_MS).await;
    }
    // It is loaded.
    let _ = split::show(Box::new(opening)).await;
}

#[cfg(feature = "split")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "what can fail is to load it, and the attribute wants that in its type"
)]
mod split {
    use limpet_frontend::opening::Opening;
    use wasm_split_helpers::{SplitLoaderError, wasm_split};

    #[wasm_split(page, fallible, preload(load))]
    pub fn show(opening: Box<Opening>) -> Result<(), SplitLoaderError> {
        super::mount(*opening);
        Ok(())
    }
}

fn mount(opening: Opening) {
    // index.html has this element, with a picture of the page-to-be in it until the page itself is here.
    let place = document().get_element_by_id("page").unwrap_throw();
    place.set_inner_html("");
    dom::end_explanation();
    // The page is shown as long as its window lives, and goes with it.
    mount_to(place.unchecked_into(), || view! { <Page opening/> }).forget();
}
