//! Values to the text of an env file and back, in the dialect of whoever reads it.
//!
//! Owns the dialects: for each, how a value is written, and a small model of the consumer that reads it. [`render()`]
//! writes only what every named model turns back into the same bytes, and names all that cannot be written; [`read()`]
//! and [`read_agreed()`] take files that people wrote. It never touches a file, an environment or a clock, and no error
//! of it holds a value or a piece of one.
//!
//! A dialect is one file with one `Grammar`, and one line in `Dialect::grammar`.

mod agree;
mod buffer;
mod compose;
mod cursor;
mod dialect;
mod django_environ;
mod docker;
mod dotenvy;
mod json;
#[cfg(test)]
mod laws;
mod node;
mod node_builtin;
mod portable;
mod python_dotenv;
mod read;
mod shell;
mod systemd;
#[cfg(test)]
mod traps;
mod write;

pub use agree::{Differing, Disagreement, read_agreed};
pub use dialect::{Dialect, UnknownDialect};
pub use read::{ReadError, ReadProblem, read};
pub use write::{Reason, Refusal, Refused, RenderError, Rendered, render};

use read::{Fault, Reading};

/// One dialect of files that hold a variable a line: how it is written, and how its consumer reads it.
struct Grammar {
    dialect: Dialect,
    /// Models of the consumer: the current one first, then older ones in use that must read our text alike.
    models: &'static [Model],
    /// The texts that may stand for a value after `NAME=`, the one to prefer first. Each is tried on the models before
    /// it is used, so a form may be wrong for some values.
    forms: fn(&str) -> Vec<Form>,
    /// Why the dialect cannot hold this value under this name, where that is known without trying.
    objection: fn(&str, &str) -> Option<Reason>,
}

/// Reads a whole file as one consumer does.
type Model = fn(&str) -> Result<Reading, Fault>;

/// What stands after `NAME=`: a value, written.
type Form = zeroize::Zeroizing<String>;
