//! Reaping a program twice, when its number may already be another one's.

fn main() {}

fn twice(child: limpet::keeper::Child) {
    let _ = child.reap();
    let _ = child.reap();
}
