//! Reads a terminal that has been closed.

fn main() {}

fn late(pty: limpet::pty::Pty) {
    drop(pty);
    let _ = pty.read(&mut []);
}
