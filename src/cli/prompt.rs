//! Reads an answer from the terminal.
//!
//! Of our own, because what the prompt crates do with a hidden answer can lose part of it: they read a line as the
//! terminal hands it out, which stops at 4,095 bytes without a word, take the first line of a pasted key and leave the
//! rest to the shell, and leave the echo off after Ctrl-C. Whether a question may be asked at all is decided in
//! [`super::ui`].

use super::report::{Exit, Stop};
use anyhow::Result;
use rustix::io::Errno;
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::io::{self, Write};
use zeroize::{Zeroize, Zeroizing};

/// A pasted value may be long; one that is longer than this is not meant for a prompt.
const LONGEST: usize = 1 << 20;

/// Asks and reads a line that is seen while it is typed, without its newline.
pub(super) fn line(question: &str) -> Result<String> {
    say(question);
    let mut bytes = Vec::new();
    loop {
        match byte()? {
            Some(b'\n') => break,
            Some(byte) => bytes.push(byte),
            None if bytes.is_empty() => {
                say("\n");
                return Err(Stop::usage("the terminal was closed instead of an answer").into());
            }
            None => break,
        }
    }
    String::from_utf8(bytes).map_err(|_| Stop::usage("the answer is not UTF-8").into())
}

/// Asks and reads a line that is not shown, of any length, without its newline.
pub(super) fn hidden(question: &str) -> Result<Zeroizing<String>> {
    let _restored_at_the_end = Silence::begin()?;
    say(question);
    let answer = hidden_bytes();
    say("\n");
    let mut bytes = answer?;
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(Stop::usage("the answer is not UTF-8").into())
        }
    }
}

fn hidden_bytes() -> Result<Zeroizing<Vec<u8>>> {
    // Reserved whole, so that growing leaves no copies behind.
    let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST));
    loop {
        match byte()? {
            Some(b'\n' | b'\r') => break,
            Some(0x03) => return Err(Stop::new(Exit::Interrupted, "interrupted; nothing was changed").into()),
            Some(0x04) | None if typed.is_empty() => {
                return Err(Stop::usage("the terminal was closed instead of an answer").into());
            }
            Some(0x04) | None => break,
            Some(0x08 | 0x7f) => rub_out(&mut typed),
            Some(0x15) => typed.clear(),
            Some(b'\t') => typed.push(b'\t'),
            Some(0x00..=0x1f) => {
                return Err(Stop::usage("a control character was typed")
                    .hint("give the value with --from-file FILE, or on stdin")
                    .into());
            }
            Some(_) if typed.len() == LONGEST => {
                return Err(Stop::usage("the answer is longer than a mebibyte").into());
            }
            Some(byte) => typed.push(byte),
        }
    }
    match rustix::io::ioctl_fionread(stdin()) {
        Ok(0) | Err(_) => Ok(typed),
        Ok(_) => Err(Stop::usage("more than one line was typed or pasted; none of it was used")
            .hint("give a value of several lines with --from-file FILE, or on stdin")
            .into()),
    }
}

/// Takes back the last character, which may be several bytes.
fn rub_out(typed: &mut Vec<u8>) {
    while let Some(byte) = typed.pop() {
        if byte & 0b1100_0000 != 0b1000_0000 {
            break;
        }
    }
}

/// One byte of the terminal, and no more: what else was typed belongs to the next question, or to the child of `exec`.
fn byte() -> Result<Option<u8>> {
    let mut one = [0_u8];
    loop {
        match rustix::io::read(stdin(), &mut one) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(one[0])),
            Err(Errno::INTR) => {}
            Err(error) => {
                return Err(Stop::usage("cannot read the answer").because(io::Error::from(error)).into());
            }
        }
    }
}

fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A terminal that neither shows what is typed nor acts on it, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Silence> {
        let failed = |error: Errno| Stop::usage("cannot hide the answer").because(io::Error::from(error));
        let before = tcgetattr(stdin()).map_err(failed)?;
        let mut during = before.clone();
        during.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        during.special_codes[SpecialCodeIndex::VMIN] = 1;
        during.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Flush, &during).map_err(failed)?;
        Ok(Silence(before))
    }
}

impl Drop for Silence {
    /// Throws away what was typed and not read, which would otherwise reach the shell.
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbing_out_takes_a_whole_character() {
        let mut typed = "aé€".as_bytes().to_vec();
        rub_out(&mut typed);
        assert_eq!(typed, "aé".as_bytes());
        rub_out(&mut typed);
        rub_out(&mut typed);
        rub_out(&mut typed);
        assert!(typed.is_empty());
    }
}
