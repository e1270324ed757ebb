//! What a new password looks like.
//!
//! 32 letters and digits, 190 bits: the same text in a URL, a shell, a `.pgpass`, YAML and every dialect of a .env file,
//! and what RDS and ElastiCache allow.

use crate::manifest::generate::{Alphabet, Generator};
use crate::secret::Secret;

const LENGTH: usize = 32;

/// A password from a source of random values: a letter first, and of each class one at least, for those who check that.
pub(super) fn password(generate: fn(&Generator) -> Secret) -> Secret {
    let generator =
        Generator::sized(LENGTH, Alphabet::Alphanumeric).expect("letters and digits have any length");
    loop {
        let drawn = generate(&generator);
        if fits(drawn.expose()) {
            return drawn;
        }
    }
}

fn fits(text: &str) -> bool {
    let has = |class: fn(&u8) -> bool| text.bytes().any(|byte| class(&byte));
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use std::cell::RefCell;

    thread_local!(static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::seed_from_u64(1)));

    #[test]
    fn a_password_begins_with_a_letter_and_has_each_class() {
        for _ in 0..500 {
            let made = password(|generator| RANDOM.with_borrow_mut(|random| generator.generate(random)));
            assert_eq!(made.len(), 32);
            assert!(fits(made.expose()) && made.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }
}
