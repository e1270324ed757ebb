//! Xero's token endpoint and its list of connections, as somebody who must not lose a refresh token uses them.
//!
//! Owns what is sent, how an answer is read, what a refusal means for the refresh token that was sent, and how the time in
//! `token_expires_at` is spelled. It sends everything once: when to ask again is the rotation's to decide, which knows
//! until when the old token is still taken, by the table in [`next`]. It keeps nothing and knows no clock.
//!
//! An answer is bytes until it is sealed:
//!
//! ```no_run
//! # async fn story(xero: strongroom::xero::Xero<'_>, client: strongroom::xero::Client<'_>,
//! #     old: strongroom::secret::Secret) -> Result<(), strongroom::xero::XeroError> {
//! use strongroom::xero::{Grant, Tokens};
//! let outcome = xero.token(&client, &Grant::Refresh(&old)).await?;
//! let answer = outcome.minted()?;                 // the journal seals this, whatever is in it
//! let tokens = Tokens::parse(&answer)?;           // and only then is it read
//! let tenants = xero.connections(&tokens.access.token).await?;
//! # Ok(())
//! # }
//! ```

mod ask;
mod claims;
mod connections;
mod error;
mod expiry;
mod login;
mod next;
mod outcome;
mod parts;
mod standing;
mod tokens;

pub use ask::{Client, Grant, Xero};
pub use claims::Claims;
pub use connections::{Choice, Connection, choose};
pub use error::{Again, RefreshToken, XeroError};
pub use expiry::Spelling;
pub use login::{LoginError, Pkce, authorize_address, redirected};
pub use next::{Facts, GRACE, Home, Person, Sent, Step, next};
pub use outcome::Outcome;
pub use parts::Parts;
pub use standing::{ACCESS, Problem, Standing, UNUSED};
pub use tokens::{AccessToken, Tokens};
