//! Creates a second owner.

fn main() {}

fn twice(pty: limpet::pty::Pty) -> (limpet::pty::Pty, limpet::pty::Pty) {
    (pty.clone(), pty)
}
