//! Reaps a program twice, when its process id may already belong to another one.

fn main() {}

fn twice(child: limpet_keeper::Child) {
    let _ = child.reap();
    let _ = child.reap();
}
