//! Clones the duty to reap a program.

fn main() {}

fn twice(child: limpet_keeper::Child) -> (limpet_keeper::Child, limpet_keeper::Child) {
    (child.clone(), child)
}
