//! The one type that holds a value, and the keyed fingerprint that may be shown in its place.
//!
//! Owns how a value lives in memory: wiped on drop, compared in constant time, never formatted. It never prints,
//! serialises or logs a value; whoever must (a store's wire format, a rendered file) calls [`Secret::expose`], which is
//! easy to search for and rare.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// A value: UTF-8 without NUL, possibly empty, of any length that memory allows (each place has limits of its own).
///
/// Plain values live in it too: there is one way to hold a value. It has no `Display` and no `Serialize`, its `Debug`
/// tells nothing but that it is there, and it has no `PartialEq` so that nobody compares two of them by accident in a
/// way that leaks where they differ: see [`Secret::same_as`].
pub struct Secret(Zeroizing<String>);

/// Why bytes are not a value. Tells the position, never the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// No environment variable and no place holds NUL.
    #[error("the value has a NUL byte at offset {offset}; no environment can hold it")]
    Nul {
        /// Bytes before the NUL.
        offset: usize,
    },
    /// Values are UTF-8.
    #[error("the value is not UTF-8 from byte {offset} on; encode it first, for example as base64")]
    NotUtf8 {
        /// Bytes before the first one that is not UTF-8.
        offset: usize,
    },
}

impl Secret {
    /// Takes a string as a value; it is wiped when the secret is dropped, and also when it is refused.
    pub fn new(text: String) -> Result<Secret, InvalidValue> {
        let text = Zeroizing::new(text);
        match text.bytes().position(|byte| byte == 0) {
            Some(offset) => Err(InvalidValue::Nul { offset }),
            None => Ok(Secret(text)),
        }
    }

    /// Takes bytes as a value; they are wiped when the secret is dropped, and also when they are refused.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Secret, InvalidValue> {
        match String::from_utf8(bytes) {
            Ok(text) => Secret::new(text),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                error.into_bytes().zeroize();
                Err(InvalidValue::NotUtf8 { offset })
            }
        }
    }

    /// The value itself, for the few that must pass it on. Each call is a place where it may leak.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// How many bytes of UTF-8 the value has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the value is the empty string.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both hold the same bytes, in time that depends on their lengths only.
    pub fn same_as(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }

    /// What may be shown in the value's place; equal under one key exactly where the values are equal.
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(key.0.as_slice()).expect("HMAC takes a key of any length");
        mac.update(self.0.as_bytes());
        let tag = mac.finalize().into_bytes();
        Fingerprint(tag[..4].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Clone for Secret {
    fn clone(&self) -> Secret {
        Secret(Zeroizing::new(String::clone(&self.0)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// The key of fingerprints: 32 random bytes, new for every run, and for every operation kept in its sealed snapshot.
///
/// Without the key a fingerprint cannot be tested against guesses, so fingerprints of one run say nothing to the next.
#[derive(Clone)]
pub struct FingerprintKey(Zeroizing<[u8; 32]>);

impl FingerprintKey {
    /// Takes 32 bytes that the caller drew from the system's random source.
    pub fn new(bytes: [u8; 32]) -> FingerprintKey {
        FingerprintKey(Zeroizing::new(bytes))
    }

    /// The key's bytes, to be sealed with an operation.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(redacted)")
    }
}

/// Eight hexadecimal digits: the first 32 bits of HMAC-SHA256 of a value under a run's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    #[test]
    fn debug_of_a_secret_and_of_what_holds_one_says_nothing() {
        let shown = format!("{:?} {:#?}", secret("hunter2"), Some(secret("hunter2")));
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn nul_and_bytes_that_are_not_utf8_are_refused_with_their_position() {
        assert_eq!(Secret::new("ab\0c".to_owned()).unwrap_err(), InvalidValue::Nul { offset: 2 });
        assert_eq!(Secret::from_bytes(b"ab\xff".to_vec()).unwrap_err(), InvalidValue::NotUtf8 { offset: 2 });
    }

    #[test]
    fn fingerprints_agree_under_one_key_exactly_where_the_values_do() {
        let (one, two) = (FingerprintKey::new([1; 32]), FingerprintKey::new([2; 32]));
        assert_eq!(secret("a").fingerprint(&one), secret("a").fingerprint(&one));
        assert_ne!(secret("a").fingerprint(&one), secret("b").fingerprint(&one));
        assert_ne!(secret("a").fingerprint(&one), secret("a").fingerprint(&two));
    }

    /// RFC 4231, test case 2, cut to 32 bits: the fingerprint is HMAC-SHA256 and not something of ours.
    #[test]
    fn fingerprint_is_truncated_hmac_sha256() {
        let mut key = [0_u8; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            secret("what do ya want for nothing?").fingerprint(&FingerprintKey::new(key)).to_string(),
            "5bdcc146"
        );
    }
}
