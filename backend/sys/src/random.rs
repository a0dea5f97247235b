//! Random bytes from the operating system.

/// Returns `N` random bytes, fit for secrets.
///
/// # Panics
/// Panics if the operating system has no random bytes.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a system without randomness cannot keep a secret, so the server must not run"
)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}
