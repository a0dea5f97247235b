//! Starts limpet's page.

use leptos::mount::mount_to;
use leptos::prelude::*;
use limpet_frontend::app::Page;
use wasm_bindgen::{JsCast as _, UnwrapThrowExt as _};

fn main() {
    console_error_panic_hook::set_once();
    // index.html has this element, with a picture of the page-to-be in it until the page itself is here.
    let place = document().get_element_by_id("page").unwrap_throw();
    place.set_inner_html("");
    // The page is shown as long as its window lives, and goes with it.
    mount_to(place.unchecked_into(), Page).forget();
}
