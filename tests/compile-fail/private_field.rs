//! Takes the descriptor from the field.

fn main() {}

fn inside(pty: limpet_pty::Pty) {
    drop(pty.master);
}
