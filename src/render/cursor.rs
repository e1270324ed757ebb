//! A place in a text, and the line that it is in: what the models walk with.
//!
//! Owns walking and counting lines. It never copies the text.

/// A place in a text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    counted: (usize, usize),
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0, counted: (0, 1) }
    }

    /// What is still ahead.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Steps over `bytes` bytes, which must end between characters, and gives them.
    pub(super) fn take(&mut self, bytes: usize) -> &'a str {
        let taken = &self.rest()[..bytes];
        self.at += bytes;
        taken
    }

    /// Steps over what is ahead if it is `text`.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        self.take(rest.find(|c| !wanted(c)).unwrap_or(rest.len()))
    }

    /// The rest of the line without its LF, which is stepped over too.
    pub(super) fn take_line(&mut self) -> &'a str {
        let line = self.take_while(|c| c != '\n');
        self.bump();
        line
    }

    /// The line here, counted from 1.
    pub(super) fn line(&mut self) -> usize {
        let (at, line) = self.counted;
        let passed = self.text.as_bytes()[at..self.at].iter().filter(|byte| **byte == b'\n').count();
        self.counted = (self.at, line + passed);
        line + passed
    }
}
