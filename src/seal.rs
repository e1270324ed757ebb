//! Sealing: bytes to and from age files, for several recipients, with X25519 and ssh-ed25519 keys.
//!
//! The only home of the `age` crate. It never touches a file and never asks anybody: keys come as bytes, a passphrase
//! through a function of the caller's. What it seals is binary age (format v1, <https://age-encryption.org/v1>), which
//! the plain `age` program opens; it opens what that program seals, armoured or not.

use age::armor::ArmoredReader;
use age::secrecy::{ExposeSecret, SecretString};
use age::{ssh, x25519};
use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;
use zeroize::{Zeroize, Zeroizing};

/// Somebody who can open what is sealed to them: an `age1…` or `ssh-ed25519 …` public key. Not secret.
#[derive(Clone)]
pub struct Recipient {
    text: String,
    key: PublicKey,
}

#[derive(Clone)]
enum PublicKey {
    X25519(x25519::Recipient),
    Ssh(ssh::Recipient),
}

/// A text that is no recipient, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRecipient {
    /// It looks like a private key; the text is not repeated.
    #[error("this is a private identity, not a recipient; a recipient starts with `age1` or `ssh-ed25519 `")]
    Private,
    /// It is neither kind of public key.
    #[error("`{0}` is not a recipient: expected an `age1…` or an `ssh-ed25519 …` public key")]
    Unknown(String),
}

impl FromStr for Recipient {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Recipient, InvalidRecipient> {
        let text = text.trim();
        if text.to_ascii_uppercase().contains("SECRET-KEY") || text.contains("PRIVATE KEY") {
            return Err(InvalidRecipient::Private);
        }
        let unknown = || InvalidRecipient::Unknown(text.escape_debug().take(80).collect());
        let key = if text.starts_with("ssh-ed25519 ") {
            PublicKey::Ssh(text.parse().map_err(|_| unknown())?)
        } else {
            PublicKey::X25519(text.parse().map_err(|_| unknown())?)
        };
        Ok(Recipient { text: text.to_owned(), key })
    }
}

impl Recipient {
    /// Whether both are the same key; an ssh key's comment does not count.
    pub fn same_key(&self, other: &Recipient) -> bool {
        self.key_text() == other.key_text()
    }

    fn key_text(&self) -> String {
        self.text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.text)
    }
}

/// The private keys of one person, or of one host.
pub struct Identities(Vec<Key>);

enum Key {
    X25519(x25519::Identity),
    Ssh(Box<ssh::Identity>),
}

/// An identity file that gives no identity. Never holds the file's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIdentity {
    /// A line that is neither a comment nor an `AGE-SECRET-KEY-1…`.
    #[error("line {0} is not an age identity (AGE-SECRET-KEY-1…)")]
    Line(usize),
    /// Nothing but comments.
    #[error("there is no identity in it")]
    Empty,
    /// An ssh key of a kind that age does not open with.
    #[error("this ssh key cannot be used: only ssh-ed25519 keys in OpenSSH's format are")]
    UnsupportedSsh,
    /// It is protected by a passphrase, and nobody gave one.
    #[error("it is protected by a passphrase, and there is nobody to ask")]
    PassphraseNeeded,
    /// The passphrase does not open it.
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    /// It is an age file, but sealed to another key instead of a passphrase, or damaged.
    #[error("it is not an identity file: an age file that no passphrase opens, or a damaged one")]
    Damaged,
}

/// Asks for the passphrase of an identity; `None` where nobody is there to answer.
pub type AskPassphrase<'a> = &'a mut dyn FnMut() -> Option<Zeroizing<String>>;

impl Identities {
    /// Makes a new X25519 identity.
    pub fn generate() -> Identities {
        Identities(vec![Key::X25519(x25519::Identity::generate())])
    }

    /// Reads an identity file: lines of `AGE-SECRET-KEY-1…` and `#` comments, an OpenSSH private key, or an age file
    /// (armoured or not) that seals such lines to a passphrase.
    pub fn parse(bytes: &[u8], ask: AskPassphrase<'_>) -> Result<Identities, InvalidIdentity> {
        if is_sealed(bytes) {
            return parse_lines(&open_with_passphrase(bytes, ask)?);
        }
        if bytes.starts_with(b"-----BEGIN OPENSSH PRIVATE KEY") {
            return parse_ssh(bytes, ask);
        }
        parse_lines(bytes)
    }

    /// The public side: what to seal to so that these identities open it.
    pub fn recipients(&self) -> Vec<Recipient> {
        self.0
            .iter()
            .filter_map(|key| match key {
                Key::X25519(identity) => {
                    let public = identity.to_public();
                    Some(Recipient { text: public.to_string(), key: PublicKey::X25519(public) })
                }
                Key::Ssh(identity) => {
                    let public = ssh::Recipient::try_from(ssh::Identity::clone(identity)).ok()?;
                    Some(Recipient { text: public.to_string(), key: PublicKey::Ssh(public) })
                }
            })
            .collect()
    }

    /// The text of an identity file with the X25519 keys: a comment with the public key, then the private one.
    pub fn to_file(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(256 * self.0.len()));
        for key in &self.0 {
            if let Key::X25519(identity) = key {
                text.push_str("# public key: ");
                text.push_str(&identity.to_public().to_string());
                text.push('\n');
                text.push_str(identity.to_string().expose_secret());
                text.push('\n');
            }
        }
        text
    }

    /// Adds the keys of another identity file, to be tried after these.
    pub fn and(mut self, other: Identities) -> Identities {
        self.0.extend(other.0);
        self
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({} redacted)", self.0.len())
    }
}

fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

fn parse_lines(bytes: &[u8]) -> Result<Identities, InvalidIdentity> {
    let mut keys = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| InvalidIdentity::Line(index + 1))?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        keys.push(Key::X25519(line.parse().map_err(|_| InvalidIdentity::Line(index + 1))?));
    }
    if keys.is_empty() { Err(InvalidIdentity::Empty) } else { Ok(Identities(keys)) }
}

fn parse_ssh(bytes: &[u8], ask: AskPassphrase<'_>) -> Result<Identities, InvalidIdentity> {
    let identity = ssh::Identity::from_buffer(bytes, None).map_err(|_| InvalidIdentity::UnsupportedSsh)?;
    let unlocked = match identity {
        ssh::Identity::Unencrypted(_) => identity,
        ssh::Identity::Encrypted(locked) => {
            let passphrase = ask().ok_or(InvalidIdentity::PassphraseNeeded)?;
            let key = locked
                .decrypt(SecretString::from(passphrase.as_str()))
                .map_err(|_| InvalidIdentity::WrongPassphrase)?;
            ssh::Identity::from(key)
        }
        ssh::Identity::Unsupported(_) => return Err(InvalidIdentity::UnsupportedSsh),
    };
    match ssh::Recipient::try_from(ssh::Identity::clone(&unlocked)) {
        Ok(ssh::Recipient::SshEd25519(..)) => Ok(Identities(vec![Key::Ssh(Box::new(unlocked))])),
        _ => Err(InvalidIdentity::UnsupportedSsh),
    }
}

fn open_with_passphrase(bytes: &[u8], ask: AskPassphrase<'_>) -> Result<Zeroizing<Vec<u8>>, InvalidIdentity> {
    let decryptor =
        age::Decryptor::new_buffered(ArmoredReader::new(bytes)).map_err(|_| InvalidIdentity::Damaged)?;
    if !decryptor.is_scrypt() {
        return Err(InvalidIdentity::Damaged);
    }
    let passphrase = ask().ok_or(InvalidIdentity::PassphraseNeeded)?;
    let identity = age::scrypt::Identity::new(SecretString::from(passphrase.as_str()));
    let mut reader = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(|_| InvalidIdentity::WrongPassphrase)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    reader.read_to_end(&mut plain).map_err(|_| InvalidIdentity::Damaged)?;
    Ok(plain)
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A file that nobody could open is not written.
    #[error("there is no recipient to seal to")]
    NoRecipient,
    /// The age library refused; what it says holds no value.
    #[error("sealing failed")]
    Age(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Encrypts bytes so that every one of the recipients can open them. The result is a binary age file.
pub fn seal(plain: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>, SealError> {
    if recipients.is_empty() {
        return Err(SealError::NoRecipient);
    }
    let keys = recipients.iter().map(|recipient| match &recipient.key {
        PublicKey::X25519(key) => key as &dyn age::Recipient,
        PublicKey::Ssh(key) => key,
    });
    let failed = |error: std::io::Error| SealError::Age(error.into());
    let encryptor = age::Encryptor::with_recipients(keys).map_err(|error| SealError::Age(error.into()))?;
    let mut sealed = Vec::with_capacity(plain.len() + plain.len() / 1024 + 1024 + 200 * recipients.len());
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(failed)?;
    writer.write_all(plain).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(sealed)
}

/// Why sealed bytes did not open. The caller's file is untouched in every case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not an age file at all, or its first lines are damaged.
    #[error("this is not an age file, or its header is damaged")]
    NotAge,
    /// None of the identities is a recipient of it.
    #[error("it is not sealed to this identity")]
    WrongIdentity,
    /// It is sealed to a passphrase instead of to recipients.
    #[error("it is sealed to a passphrase; open it with `age -d`")]
    Passphrase,
    /// Its header or its content was changed or cut off after it was sealed.
    #[error("it is damaged: changed or cut off after it was sealed")]
    Damaged,
}

/// Decrypts an age file, armoured or not, with the first identity that fits.
pub fn open(sealed: &[u8], identities: &Identities) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if !is_sealed(sealed) {
        return Err(OpenError::NotAge);
    }
    let decryptor =
        age::Decryptor::new_buffered(ArmoredReader::new(sealed)).map_err(|_| OpenError::NotAge)?;
    if decryptor.is_scrypt() {
        return Err(OpenError::Passphrase);
    }
    let keys = identities.0.iter().map(|key| match key {
        Key::X25519(identity) => identity as &dyn age::Identity,
        Key::Ssh(identity) => identity.as_ref(),
    });
    let mut reader = decryptor.decrypt(keys).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => OpenError::WrongIdentity,
        _ => OpenError::Damaged,
    })?;
    // The plain text is shorter than the sealed one, so the buffer never grows and leaves no copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    if reader.read_to_end(&mut plain).is_err() {
        plain.zeroize();
        return Err(OpenError::Damaged);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Option<Zeroizing<String>> {
        None
    }

    #[test]
    fn every_recipient_opens_what_is_sealed_and_a_stranger_does_not() {
        let (one, two, stranger) = (Identities::generate(), Identities::generate(), Identities::generate());
        let recipients: Vec<_> = one.recipients().into_iter().chain(two.recipients()).collect();
        let sealed = seal(b"value", &recipients).unwrap();
        assert_eq!(open(&sealed, &one).unwrap().as_slice(), b"value");
        assert_eq!(open(&sealed, &two).unwrap().as_slice(), b"value");
        assert_eq!(open(&sealed, &stranger).unwrap_err(), OpenError::WrongIdentity);
    }

    #[test]
    fn an_identity_file_reads_back_and_its_comment_is_its_recipient() {
        let identity = Identities::generate();
        let file = identity.to_file();
        let again = Identities::parse(file.as_bytes(), &mut nobody).unwrap();
        assert!(again.recipients()[0].same_key(&identity.recipients()[0]));
        assert!(file.contains(&identity.recipients()[0].to_string()));
    }

    #[test]
    fn every_flipped_byte_and_every_truncation_is_refused_and_never_read_as_something_else() {
        let identity = Identities::generate();
        let sealed = seal(b"a value of some length", &identity.recipients()).unwrap();
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            open(&flipped, &identity).unwrap_err();
            open(&sealed[..at], &identity).unwrap_err();
        }
    }

    #[test]
    fn a_private_key_given_as_a_recipient_is_not_repeated() {
        let file = Identities::generate().to_file();
        let line = file.lines().last().unwrap();
        let error = line.parse::<Recipient>().unwrap_err();
        assert_eq!(error, InvalidRecipient::Private);
    }

    #[test]
    fn nothing_is_sealed_to_nobody() {
        assert!(matches!(seal(b"x", &[]), Err(SealError::NoRecipient)));
    }
}
