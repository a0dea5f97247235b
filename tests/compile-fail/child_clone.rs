//! A second duty to reap.

fn main() {}

fn twice(child: limpet::pty::Child) -> (limpet::pty::Child, limpet::pty::Child) {
    (child.clone(), child)
}
