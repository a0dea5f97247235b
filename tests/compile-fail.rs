//! Checks that misuse of the pty guard does not compile. The compiler must reject each program in
//! `compile-fail/` for the reason in its `.stderr` file. After a change of the compiler's wording,
//! run `TRYBUILD=overwrite cargo test --package limpet-keeper --test compile-fail`.

#[test]
fn a_second_owner_does_not_compile() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("../../tests/compile-fail/*.rs");
}
