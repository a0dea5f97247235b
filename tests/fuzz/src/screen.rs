//! Searches for output that causes the server's screen too much work or memory, makes it panic, or
//! gives another result when it is cut.
//!
//! `cargo xtask fuzz` builds and runs it. The checks are those of `tests/screen-bounds`.

#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../screen-bounds/hostile.rs"]
mod hostile;
#[path = "../../screen-bounds/memory.rs"]
mod memory;

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

libfuzzer_sys::fuzz_target!(|case: &[u8]| hostile::check(case));
