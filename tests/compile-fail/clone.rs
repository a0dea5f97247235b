//! Creates a second owner.

fn main() {}

fn twice(pty: limpet_pty::Pty) -> (limpet_pty::Pty, limpet_pty::Pty) {
    (pty.clone(), pty)
}
