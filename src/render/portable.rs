//! The characters that every consumer reads as themselves, measured one by one in thirteen consumers.
//!
//! Owns the sets of characters that several dialects share. It is narrower than what the models accept, on purpose: it
//! is what the real programs were seen to do.

/// Whether a value, written bare, is read as itself by every consumer.
pub(super) fn plain(value: &str) -> bool {
    let mut before = '=';
    value.chars().all(|c| {
        let tilde_expands = c == '~' && matches!(before, '=' | ':');
        before = c;
        !tilde_expands && plain_char(c)
    })
}

fn plain_char(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || "!%*+,-./:=?@[]^_{}~".contains(c) } else { visible(c) }
}

/// Whether a character is neither white space other than the blank, nor a control, nor one that some consumer takes out
/// or rejects.
pub(super) fn visible(c: char) -> bool {
    c == ' ' || !(c.is_whitespace() || c.is_control() || c == '\u{feff}' || noncharacter(c))
}

/// Whether Unicode says that this is not a character: U+FDD0 to U+FDEF, and the last two of each plane.
pub(super) fn noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32) & 0xfffe == 0xfffe
}
