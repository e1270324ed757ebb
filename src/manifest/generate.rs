//! New values: random text of a declared length and alphabet.
//!
//! Owns the alphabets. The randomness is the caller's, so that nothing here reaches for the system.

use crate::secret::Secret;
use rand::{CryptoRng, RngExt};
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Which characters a new value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Alphabet {
    /// Letters and digits.
    #[default]
    Alphanumeric,
    /// Letters, digits, `-` and `_`: needs no quotes and no percent-encoding anywhere.
    UrlSafe,
    /// The digits of hexadecimal numbers, in small letters.
    Hex,
    /// What Django's own generator uses, without the characters that some reader of a .env file cannot carry.
    Django,
    /// A random UUID (version 4), which has a length of its own.
    Uuid,
}

impl Alphabet {
    /// Every alphabet.
    pub const ALL: [Alphabet; 5] =
        [Alphabet::Alphanumeric, Alphabet::UrlSafe, Alphabet::Hex, Alphabet::Django, Alphabet::Uuid];

    /// The name that a manifest uses.
    pub fn name(self) -> &'static str {
        match self {
            Alphabet::Alphanumeric => "alphanumeric",
            Alphabet::UrlSafe => "url-safe",
            Alphabet::Hex => "hex",
            Alphabet::Django => "django",
            Alphabet::Uuid => "uuid",
        }
    }

    /// The characters, each as likely as the others.
    ///
    /// Django's own alphabet has `$ # & ( )` too: `docker compose` expands the first, node ends a value at the second
    /// and shells read the others, so that no quoting fits every reader.
    pub fn characters(self) -> &'static str {
        match self {
            Alphabet::Alphanumeric => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            Alphabet::UrlSafe => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
            Alphabet::Hex => "0123456789abcdef",
            Alphabet::Django => "abcdefghijklmnopqrstuvwxyz0123456789!@%^*-_=+",
            Alphabet::Uuid => "0123456789abcdef-",
        }
    }

    /// As many characters as are usual: at least 256 bits, and Django's fifty.
    fn usual_length(self) -> usize {
        match self {
            Alphabet::Alphanumeric | Alphabet::UrlSafe => 43,
            Alphabet::Hex => 64,
            Alphabet::Django => 50,
            Alphabet::Uuid => 36,
        }
    }
}

/// How a new value is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generator {
    length: usize,
    alphabet: Alphabet,
}

impl Generator {
    /// A generator of values that are as long as is usual with the alphabet.
    pub fn usual(alphabet: Alphabet) -> Generator {
        Generator { length: alphabet.usual_length(), alphabet }
    }

    /// A generator of values of `length` characters; none for a UUID, whose length is its own.
    pub fn sized(length: usize, alphabet: Alphabet) -> Option<Generator> {
        (alphabet != Alphabet::Uuid).then_some(Generator { length, alphabet })
    }

    /// How many characters a value has.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Which characters a value has.
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// Makes a value. Its first character is a letter or a digit, so that nothing reads it as an option or a variable.
    pub fn generate(&self, random: &mut impl CryptoRng) -> Secret {
        let text = match self.alphabet {
            Alphabet::Uuid => uuid(random),
            Alphabet::Alphanumeric | Alphabet::UrlSafe | Alphabet::Hex | Alphabet::Django => {
                self.characters(random)
            }
        };
        Secret::new(text).expect("no alphabet has NUL")
    }

    fn characters(&self, random: &mut impl CryptoRng) -> String {
        let all = self.alphabet.characters().as_bytes();
        let first: Zeroizing<Vec<u8>> =
            Zeroizing::new(all.iter().copied().filter(u8::is_ascii_alphanumeric).collect());
        let mut text = String::with_capacity(self.length);
        for position in 0..self.length {
            let from = if position == 0 { first.as_slice() } else { all };
            text.push(char::from(from[random.random_range(0..from.len())]));
        }
        text
    }
}

fn uuid(random: &mut impl CryptoRng) -> String {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    random.fill_bytes(bytes.as_mut_slice());
    uuid::Builder::from_random_bytes(*bytes).into_uuid().hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::collections::BTreeSet;

    fn random() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn values_have_the_length_and_only_characters_of_the_alphabet_and_every_one_is_reached() {
        let mut random = random();
        for alphabet in Alphabet::ALL {
            let generator = Generator::usual(alphabet);
            let mut seen = BTreeSet::new();
            for _ in 0..400 {
                let value = generator.generate(&mut random);
                assert_eq!(value.len(), generator.length(), "{alphabet:?}");
                assert!(value.expose().starts_with(|c: char| c.is_ascii_alphanumeric()));
                seen.extend(value.expose().chars());
            }
            assert_eq!(seen, alphabet.characters().chars().collect(), "{alphabet:?}");
        }
    }

    #[test]
    fn a_uuid_is_of_version_4_and_has_no_other_length() {
        let value = Generator::usual(Alphabet::Uuid).generate(&mut random());
        assert_eq!(uuid::Uuid::parse_str(value.expose()).unwrap().get_version_num(), 4);
        assert_eq!(Generator::sized(36, Alphabet::Uuid), None);
    }

    #[test]
    fn a_length_that_is_asked_for_is_kept() {
        let generator = Generator::sized(50, Alphabet::UrlSafe).unwrap();
        assert_eq!(generator.generate(&mut random()).len(), 50);
    }

    #[test]
    fn two_draws_of_one_source_differ() {
        let (mut random, generator) = (random(), Generator::usual(Alphabet::Hex));
        assert!(!generator.generate(&mut random).same_as(&generator.generate(&mut random)));
    }

    #[test]
    fn names_are_those_of_the_schema() {
        for alphabet in Alphabet::ALL {
            let read: Alphabet = serde_json::from_value(alphabet.name().into()).unwrap();
            assert_eq!(read, alphabet);
        }
    }
}
