//! Takes the descriptor from the field.

fn main() {}

fn inside(pty: limpet::pty::Pty) {
    drop(pty.master);
}
