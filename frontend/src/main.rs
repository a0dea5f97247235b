//! Starts limpet's page: the first terminal, then the rest of the page.

mod lazy_page;

use wasm_bindgen_futures::spawn_local;

fn main() {
    console_error_panic_hook::set_once();
    spawn_local(async {
        let startup = limpet_frontend::startup::start().await;
        lazy_page::show(startup).await;
    });
}
