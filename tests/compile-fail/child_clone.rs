//! Clones the duty to reap a program.

fn main() {}

fn twice(child: limpet::keeper::Child) -> (limpet::keeper::Child, limpet::keeper::Child) {
    (child.clone(), child)
}
