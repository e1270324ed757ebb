//! The only file that prints.
//!
//! The rules: data goes to stdout and nothing else does; notes, warnings, plans, progress and errors go to stderr;
//! questions go to the terminal, and are asked only where stdin and stderr are one and nobody said `--non-interactive`
//! (otherwise what would be asked is a usage error that names the flag to give). Under `--json` stdout carries documents
//! `{"strongroom": 1, "kind": …}` without values and each line of stderr is such a document too. Names that come from
//! outside are escaped, so that none can move the cursor; values are written as they are, by the verbs that print them.

use super::Globals;
use super::progress::Progress;
use super::prompt;
use super::report::{Exit, ReaderGone, Report, Stop};
use super::table::{Table, Tone};
use crate::name::Environment;
use crate::secret::Secret;
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use indicatif::ProgressBar;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use zeroize::Zeroizing;

/// The version of every JSON document that the command line speaks; a new field does not change it.
const DOCUMENT_VERSION: u32 = 1;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();
const FAINT: Style = Style::new().dimmed();

/// When colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for clap::ColorChoice {
    fn from(color: Color) -> clap::ColorChoice {
        match color {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        }
    }
}

impl Color {
    fn on(self, stream: &impl anstream::stream::RawStream) -> bool {
        match self {
            Color::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// Who listens, and how they want to be talked to.
#[derive(Debug, Clone)]
pub(super) struct Ui {
    json: bool,
    quiet: bool,
    yes: bool,
    interactive: bool,
    paint_out: bool,
    paint_err: bool,
    /// The line that is drawn over itself; what is said meanwhile goes above it.
    bar: ProgressBar,
    /// The environment that was named, which a next step must name too.
    environment: Option<String>,
}

impl Ui {
    pub(super) fn new(globals: &Globals) -> Ui {
        Ui {
            environment: globals.environment.clone().filter(|name| !name.is_empty()),
            quiet: globals.quiet,
            yes: globals.yes,
            interactive: !globals.non_interactive && io::stdin().is_terminal() && io::stderr().is_terminal(),
            ..Ui::bare(globals.json, globals.color)
        }
    }

    /// One that asks nothing, for what is said before the command line is understood.
    pub(super) fn bare(json: bool, color: Color) -> Ui {
        let (paint_out, paint_err) = (color.on(&io::stdout()), color.on(&io::stderr()));
        Ui {
            json,
            quiet: false,
            yes: false,
            interactive: false,
            paint_out,
            paint_err,
            bar: ProgressBar::hidden(),
            environment: None,
        }
    }

    /// Whether data is wanted as a document.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Whether a question can be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.interactive
    }

    /// Whether a change is asked about: not with `--yes`, and not where nobody can be asked.
    pub(super) fn asks(&self) -> bool {
        self.interactive && !self.yes
    }

    /// Whether stdout is a terminal, where a value would stay in the scroll-back.
    pub(super) fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether stdin is a terminal: then nobody has piped a value into us.
    pub(super) fn stdin_is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    // Data.

    /// Writes bytes to stdout as they are, without a buffer of ours that would keep a value.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<()> {
        write_out(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => ReaderGone.into(),
            _ => Stop::new(Exit::Failed, "cannot write to stdout").because(error).into(),
        })
    }

    /// Writes lines of text to stdout.
    pub(super) fn text(&self, text: &str) -> Result<()> {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.raw(format!("{text}{end}").as_bytes())
    }

    /// Writes a table to stdout.
    pub(super) fn table(&self, table: &Table) -> Result<()> {
        match self.stdout_is_terminal() {
            true => self.text(&table.drawn(self.paint_out)),
            false => self.text(&table.aligned()),
        }
    }

    /// Writes a document to stdout, on one line. `body` is a struct; none of its fields is a value.
    pub(super) fn document(&self, kind: &str, body: &impl Serialize) -> Result<()> {
        self.text(&document(kind, body))
    }

    // Everything else.

    /// The same listener, about another environment.
    pub(super) fn about(&self, environment: &str) -> Ui {
        Ui { environment: Some(environment.to_owned()), ..self.clone() }
    }

    /// The same, where commands that are to be typed next name the environment that was named now.
    pub(super) fn steps(&self, text: &str) -> String {
        const STEP: &str = "`strongroom ";
        let Some(environment) = &self.environment else { return text.to_owned() };
        let mut parts = text.split(STEP);
        let mut told = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            told.push_str(STEP);
            let named = ["-e ", "--environment ", "-c "].iter().any(|flag| part.starts_with(flag));
            if !named {
                told.push_str(&format!("-e {} ", shown(environment)));
            }
            told.push_str(part);
        }
        told
    }

    /// Says what was done or is going on; `-q` wants none of it.
    pub(super) fn note(&self, text: &str) {
        let text = self.steps(text);
        let text = text.as_str();
        match (self.quiet, self.json) {
            (true, _) => {}
            (false, true) => self.err(&document("note", &Remark { message: text })),
            (false, false) => self.err(text),
        }
    }

    /// Says what is not as it should be and does not stop us.
    pub(super) fn warning(&self, text: &str) {
        let text = self.steps(text);
        let text = text.as_str();
        match self.json {
            true => self.err(&document("warning", &Remark { message: text })),
            false => self.err(&format!("{} {text}", self.paint(WARNING, "warning:"))),
        }
    }

    /// Shows on stderr what is about to change: a plan's text. It is part of the question, so `-q` silences it only
    /// where none is asked.
    pub(super) fn show(&self, text: &str) {
        let asked = !self.yes;
        if !self.json && (asked || !self.quiet) {
            self.err(text.trim_end_matches('\n'));
        }
    }

    /// Says why we stop.
    pub(super) fn error(&self, report: &Report) {
        let Report { exit, message, causes, hints } = report;
        if message.is_empty() {
            return;
        }
        let hints: Vec<String> = hints.iter().map(|hint| self.steps(hint)).collect();
        if self.json {
            return self
                .err(&document("error", &Refusal { exit: *exit as u8, message, causes, hints: &hints }));
        }
        self.err(&format!("{} {}", self.paint(ERROR, "error:"), indented(message)));
        for cause in causes {
            self.err(&format!("  {} {}", self.paint(FAINT, "cause:"), indented(cause)));
        }
        for hint in &hints {
            self.err(&format!("  {} {}", self.paint(HINT, "hint:"), indented(hint)));
        }
    }

    // Questions.

    /// Asks before a change, unless `--yes`; comes back only where the answer is yes. A protected environment wants its
    /// name typed, because "y" is typed by habit.
    pub(super) fn approve(&self, question: &str, protected: Option<&Environment>) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let otherwise = "give --yes to change without asking, --dry-run to only look";
        self.must_ask("this asks before it changes something", otherwise)?;
        let agreed = match protected {
            None => {
                let answer = prompt::line(&format!("{question} [y/N] "))?;
                matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
            }
            Some(name) => {
                let asked = format!("{question} `{name}` is protected: type its name to go on: ");
                prompt::line(&asked)?.trim() == name.as_str()
            }
        };
        if agreed {
            Ok(())
        } else {
            Err(Stop::new(Exit::Failed, "not confirmed; nothing was changed").into())
        }
    }

    /// What follows belongs to what was approved: it is shown, and not asked again.
    pub(super) fn approved(&mut self) {
        self.yes = true;
    }

    /// Asks for a line that may be seen; an empty answer is the default's. `otherwise` names what to give where nobody
    /// can be asked.
    pub(super) fn ask(&self, question: &str, default: &str, otherwise: &str) -> Result<String> {
        self.must_ask("something has to be asked", otherwise)?;
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        let answer = prompt::line(&format!("{question}{shown}: "))?;
        Ok(if answer.trim().is_empty() { default.to_owned() } else { answer.trim().to_owned() })
    }

    /// Asks for a value without showing it. Once, and then says how long it was: values are pasted, and what goes wrong
    /// with a paste is its length.
    pub(super) fn ask_value(&self, question: &str, otherwise: &str) -> Result<Secret> {
        self.must_ask("a value has to be asked for", otherwise)?;
        let mut typed = prompt::hidden(&format!("{question}: "))?;
        let count = typed.chars().count();
        let edges = if typed.trim() == typed.as_str() { "" } else { ", with white space at an end" };
        self.note(&format!("{count} character{}{edges}", if count == 1 { "" } else { "s" }));
        Ok(Secret::new(std::mem::take(&mut *typed))?)
    }

    /// Asks for a passphrase without showing it or how long it is.
    pub(super) fn ask_passphrase(&self, question: &str, otherwise: &str) -> Result<Zeroizing<String>> {
        self.must_ask("a passphrase has to be asked for", otherwise)?;
        prompt::hidden(&format!("{question}: "))
    }

    fn must_ask(&self, what: &str, otherwise: &str) -> Result<()> {
        if self.interactive {
            return Ok(());
        }
        Err(Stop::usage(format!("{what}, and there is no terminal to ask on")).hint(otherwise).into())
    }

    /// A piece of text for stderr in its tone.
    pub(super) fn toned(&self, tone: Tone, text: &str) -> String {
        painted(self.paint_err, style(tone), text)
    }

    /// A piece of text for stdout in its tone.
    pub(super) fn toned_out(&self, tone: Tone, text: &str) -> String {
        painted(self.paint_out, style(tone), text)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        painted(self.paint_err, style, text)
    }

    /// Writes a line to stderr. If nobody can hear us, nobody can be told so.
    fn err(&self, line: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// The line that tells how far a change is.
    pub(super) fn progress(&self) -> Progress {
        let seen = !self.json && !self.quiet && io::stderr().is_terminal();
        Progress::new(self.bar.clone(), seen)
    }
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Notable => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
        Tone::Faint => FAINT,
    }
}

fn painted(paint: bool, style: Style, text: &str) -> String {
    if paint { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// What every document looks like: its own fields stand beside the version and the kind.
#[derive(Serialize)]
struct Document<'a, T: Serialize> {
    strongroom: u32,
    kind: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Serialize)]
struct Remark<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct Refusal<'a> {
    exit: u8,
    message: &'a str,
    causes: &'a [String],
    hints: &'a [String],
}

fn document(kind: &str, body: &impl Serialize) -> String {
    let whole = Document { strongroom: DOCUMENT_VERSION, kind, body };
    serde_json::to_string(&whole).expect("a document is a struct of names, numbers and lists")
}

/// Further lines of a message stand under its first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

fn write_out(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Text from outside as it may be shown: what could move the cursor, hide or turn text around is written as an escape.
pub(super) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                safe.extend(c.escape_unicode());
            }
            c if c.is_control() => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// `1 change`, `2 changes`.
pub(super) fn plural(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A bug of ours is told with its place, and without text that was made while running: a value could be part of it.
pub(super) fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!(" at {}:{}", place.file(), place.line()))
            .unwrap_or_default();
        let what = match panic.payload().downcast_ref::<&'static str>() {
            Some(text) => *text,
            None => "its text is withheld, as it could hold a value",
        };
        let _ = writeln!(io::stderr(), "error: a bug in strongroom{place}: {what}");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor_or_turn_text_around() {
        assert_eq!(shown("a\u{1b}[2Jb\tc\u{202e}d é"), "a\\u{1b}[2Jb\\tc\\u{202e}d é");
    }

    #[test]
    fn documents_begin_with_their_version_and_kind() {
        assert_eq!(
            document("note", &Remark { message: "a" }),
            r#"{"strongroom":1,"kind":"note","message":"a"}"#
        );
    }
}
