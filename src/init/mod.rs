//! A new project, made from nothing or from .env files: what is declared, where it goes, and the proof that nothing was
//! lost on the way.
//!
//! Pure: files come as text that was read, everything leaves as values. [`Survey`] decides what each variable is and lets
//! a person change it; [`layout`] finds names; [`ignore`] knows what version control must not see; [`prove`] shows that
//! the new project renders what the files held.

pub mod ignore;
pub mod layout;
pub mod paths;
mod survey;

pub use survey::{Kind, Lost, Reading, Row, Survey, Undecided, prove};
