//! What a server keeps instead of a password, made here so that the password is in no statement.
//!
//! Owns the pattern that a verifier has to have before it may be sent: a server takes anything else for a password in
//! clear, keeps it as one, and says nothing. It never holds or sends the password itself.

use crate::secret::Secret;
use std::fmt;
use zeroize::Zeroizing;

/// A SCRAM-SHA-256 verifier of 4,096 rounds: enough for a random password, and what every login has to repeat.
pub struct Verifier(Zeroizing<String>);

/// A text that is no verifier, and that the server would take for a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a SCRAM-SHA-256 verifier: the server would take it for a password in clear; nothing was sent")]
pub struct MalformedVerifier;

impl Verifier {
    /// The verifier of a password, with a salt of its own.
    pub fn of(password: &Secret) -> Result<Verifier, MalformedVerifier> {
        Verifier::parse(postgres_protocol::password::scram_sha_256(password.expose().as_bytes()))
    }

    /// Takes a verifier that was made before.
    pub fn parse(text: String) -> Result<Verifier, MalformedVerifier> {
        let text = Zeroizing::new(text);
        if is_verifier(&text) { Ok(Verifier(text)) } else { Err(MalformedVerifier) }
    }

    /// The verifier, for the one statement that it stands in: whoever has it can play the server.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}

/// `SCRAM-SHA-256$4096:<16 bytes>$<32 bytes>:<32 bytes>`, each in base64: stricter than the server, which takes any salt.
fn is_verifier(text: &str) -> bool {
    let parts = text.strip_prefix("SCRAM-SHA-256$4096:").and_then(|rest| {
        let (salt, keys) = rest.split_once('$')?;
        let (stored, server) = keys.split_once(':')?;
        Some((salt, stored, server))
    });
    parts.is_some_and(|(salt, stored, server)| {
        is_base64(salt, 22, "==") && is_base64(stored, 43, "=") && is_base64(server, 43, "=")
    })
}

fn is_base64(text: &str, digits: usize, padding: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    text.strip_suffix(padding).is_some_and(|text| text.len() == digits && text.bytes().all(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier(password: &str) -> String {
        Verifier::of(&Secret::new(password.to_owned()).unwrap()).unwrap().expose().to_owned()
    }

    /// The vector of postgres-protocol: the password `secret`, salted with the bytes 1 to 16.
    const KNOWN: &str = "SCRAM-SHA-256$4096:AQIDBAUGBwgJCgsMDQ4PEA==$8rrDg00OqaiWXJ7p+sCgHEIaBSHY89ZJl3mfIsf32oY=:\
                         05L1f+yZbiN8O0AnO40Og85NNRhvzTS57naKRWCcsIA=";

    #[test]
    fn what_is_made_has_the_pattern_and_a_salt_of_its_own() {
        for password in ["", "invented", "pässwörd", "\u{2003}x", &"x".repeat(5000)] {
            let (one, two) = (verifier(password), verifier(password));
            assert!(is_verifier(&one), "{one}");
            assert_ne!(one, two);
        }
        assert!(is_verifier(KNOWN));
    }

    #[test]
    fn anything_else_is_refused_before_it_could_be_sent() {
        let cut = |from: &str, to: &str| KNOWN.replacen(from, to, 1);
        let bad = [
            String::new(),
            "invented-password".to_owned(),
            "md5a3556571e93b0d20722ba62be61e8c2d".to_owned(),
            cut("256", "512"),
            cut("SCRAM", "scram"),
            cut("4096", "4097"),
            cut("4096", "04096"),
            cut("==$", "$"),
            cut("==$", "=$"),
            cut("$8r", "$'r"),
            cut("$8r", "$r"),
            cut(":05", "05"),
            format!("{KNOWN}\n"),
            format!(" {KNOWN}"),
            format!("{KNOWN}'; DROP ROLE app; --"),
        ];
        for text in bad {
            assert_eq!(Verifier::parse(text.clone()).unwrap_err(), MalformedVerifier, "{text}");
        }
    }

    #[test]
    fn a_verifier_shows_nothing_of_itself() {
        let shown = format!("{:?}", Verifier::parse(KNOWN.to_owned()).unwrap());
        assert_eq!(shown, "Verifier(redacted)");
    }
}
