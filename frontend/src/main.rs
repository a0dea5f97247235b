//! Starts limpet's page: the first terminal, then the rest of the page.

mod rest;

use wasm_bindgen_futures::spawn_local;

fn main() {
    console_error_panic_hook::set_once();
    spawn_local(async {
        let opening = limpet_frontend::opening::open().await;
        rest::show(opening).await;
    });
}
