//! Sizes of futures, for tests that keep those small that live as long as a session or a viewer.

/// Returns the size of the future that a function returns, in bytes. The function is not called.
pub(crate) fn future_size<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
    size_of::<F>()
}
