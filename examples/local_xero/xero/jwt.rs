//! Tokens that read like Xero's. They are signed with a key that everybody knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

const KEY: &[u8] = b"invented-key-of-nobody";

/// A JWT with these claims. Xero signs with RS256; nobody checks it here.
pub(super) fn signed(claims: &Value) -> String {
    let header = json!({"alg": "HS256", "kid": "INVENTED", "typ": "JWT"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
