//! What the pty guard makes impossible does not compile. Each program in `compile-fail/` must be refused, for the reason
//! that its `.stderr` file holds. After a change of the compiler's wording: `TRYBUILD=overwrite cargo test --test compile-fail`.

#[test]
fn a_second_owner_does_not_compile() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("../tests/compile-fail/*.rs");
}
