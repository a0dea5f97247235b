//! Reads a terminal that has been closed.

fn main() {}

fn late(pty: limpet_pty::Pty) {
    drop(pty);
    let _ = pty.read(&mut []);
}
