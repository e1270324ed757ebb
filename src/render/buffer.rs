//! Text that is built from pieces of a value and leaves no copy behind when it grows.
//!
//! Owns that one worry: a `String` that grows moves, and what it moved from is not wiped. It never interprets the text.

use zeroize::Zeroizing;

/// A string under construction; every memory it ever used is wiped.
#[derive(Default)]
pub(super) struct Buffer(Zeroizing<String>);

impl Buffer {
    pub(super) fn new() -> Buffer {
        Buffer::default()
    }

    pub(super) fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    pub(super) fn push_str(&mut self, text: &str) {
        let needed = self.0.len() + text.len();
        if needed > self.0.capacity() {
            let mut grown = Zeroizing::new(String::with_capacity(needed.next_power_of_two().max(32)));
            grown.push_str(&self.0);
            self.0 = grown;
        }
        self.0.push_str(text);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn finish(self) -> Zeroizing<String> {
        self.0
    }
}

/// The pieces, one after the other.
pub(super) fn joined(pieces: &[&str]) -> Zeroizing<String> {
    let mut buffer = Buffer::new();
    for piece in pieces {
        buffer.push_str(piece);
    }
    buffer.finish()
}

/// The text with each character replaced by what `write` makes of it.
pub(super) fn mapped(text: &str, write: impl Fn(&mut Buffer, char)) -> Zeroizing<String> {
    let mut buffer = Buffer::new();
    text.chars().for_each(|c| write(&mut buffer, c));
    buffer.finish()
}
