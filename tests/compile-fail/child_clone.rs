//! A second duty to reap.

fn main() {}

fn twice(child: limpet::keeper::Child) -> (limpet::keeper::Child, limpet::keeper::Child) {
    (child.clone(), child)
}
