//! The descriptor by way of the field.

fn main() {}

fn inside(pty: limpet::pty::Pty) {
    drop(pty.master);
}
