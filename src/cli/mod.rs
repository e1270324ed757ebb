//! The command line: what can be typed, and the one place where a verb is started.
//!
//! The only layer that talks, reads the process's environment, or knows anyhow and clap. A verb is one file: its
//! arguments (whose docs are its help) and a `run` that tells its story; everything it does to the world goes through
//! `context::Context`, everything it says through `ui::Ui`.

mod account;
mod backup;
mod change;
mod complete;
mod completions;
mod context;
mod copy;
mod delete;
mod diff;
mod doctor;
mod edit;
mod exec;
mod export;
mod forget;
mod get;
mod git;
mod harden;
mod history;
mod home;
mod hooks;
mod import;
mod incoming;
mod init;
mod list;
mod man;
mod migrate;
mod operations;
mod places;
mod policy;
mod progress;
mod prompt;
mod pull;
mod reading;
mod recipients;
mod render;
mod replaced;
mod report;
mod rotate;
mod schema;
mod set;
mod status;
mod sync;
mod table;
mod target;
mod ui;
mod xero;

use crate::apply::{ApplyError, Undo};
use crate::plan::Plan;
use crate::store::{OperationId, Stores};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use context::Context;
use report::{Exit, Report};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use ui::{Color, Ui};

/// One strong room for every secret of an app that runs on AWS Elastic Beanstalk
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Globals,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 done · 1 failed · 2 usage · 3 changes pending or drift (--check) · 4 manifest · 5 access denied
  6 conflict: somebody else changed it · 7 stopped midway: `strongroom resume` · 8 a person must act
  9 busy. `exec` gives its child's.";

/// What every verb understands. Each flag has a twin in the environment; an empty twin is as good as none.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// The manifest; else strongroom.toml is looked for here and in the folders above
    #[arg(short, long, global = true, value_name = "FILE", env = "STRONGROOM_CONFIG", hide_env = true,
          value_parser = path(), value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,

    /// The environment to work on; else the manifest's default_environment
    #[arg(short, long, global = true, value_name = "NAME", env = "STRONGROOM_ENVIRONMENT", hide_env = true,
          add = complete::environments())]
    pub(super) environment: Option<String>,

    /// Do not ask before a change
    #[arg(short, long, global = true, env = "STRONGROOM_YES", hide_env = true,
          value_parser = switch, action = ArgAction::SetTrue)]
    pub(super) yes: bool,

    /// Show what would change and write nothing anywhere
    #[arg(short = 'n', long, global = true, env = "STRONGROOM_DRY_RUN", hide_env = true,
          value_parser = switch, action = ArgAction::SetTrue)]
    pub(super) dry_run: bool,

    /// Speak JSON: a document without values on stdout, errors and notes on stderr
    #[arg(long, global = true, env = "STRONGROOM_JSON", hide_env = true,
          value_parser = switch, action = ArgAction::SetTrue)]
    pub(super) json: bool,

    /// No notes, only warnings and errors
    #[arg(short, long, global = true, env = "STRONGROOM_QUIET", hide_env = true,
          value_parser = switch, action = ArgAction::SetTrue)]
    pub(super) quiet: bool,

    /// Say more on stderr (-vv: yet more); never a value
    #[arg(short, long, global = true, env = "STRONGROOM_VERBOSE", hide_env = true,
          value_parser = level, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// Colours; NO_COLOR and CLICOLOR_FORCE are honoured
    #[arg(long, global = true, value_name = "WHEN", env = "STRONGROOM_COLOR", hide_env = true,
          default_value = "auto", value_parser = color)]
    pub(super) color: Color,

    /// Never ask: what would be asked is an error that names the flag to give
    #[arg(long, global = true, env = "STRONGROOM_NON_INTERACTIVE", hide_env = true,
          value_parser = switch, action = ArgAction::SetTrue)]
    pub(super) non_interactive: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::InitArgs),
    Get(get::GetArgs),
    Set(set::SetArgs),
    Edit(edit::EditArgs),
    Delete(delete::DeleteArgs),
    List(list::ListArgs),
    Render(render::RenderArgs),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    History(history::HistoryArgs),
    Status(status::StatusArgs),
    Sync(sync::SyncArgs),
    Pull(pull::PullArgs),
    Copy(copy::CopyArgs),
    Diff(diff::DiffArgs),
    Migrate(migrate::MigrateArgs),
    Rotate(rotate::RotateArgs),
    Xero(xero::XeroArgs),
    Backup(backup::BackupArgs),
    #[command(visible_alias = "run")]
    Exec(exec::ExecArgs),
    Recipients(recipients::RecipientsArgs),
    Doctor(doctor::DoctorArgs),
    Policy(policy::PolicyArgs),
    Hooks(hooks::HooksArgs),
    Operations(operations::OperationsArgs),
    Resume(operations::ResumeArgs),
    Undo(operations::UndoArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

fn run(ctx: &mut Context, verb: &Verb) -> anyhow::Result<Exit> {
    match verb {
        Verb::Init(args) => init::run(ctx, args),
        Verb::Get(args) => get::run(ctx, args),
        Verb::Set(args) => set::run(ctx, args),
        Verb::Edit(args) => edit::run(ctx, args),
        Verb::Delete(args) => delete::run(ctx, args),
        Verb::List(args) => list::run(ctx, args),
        Verb::Render(args) => render::run(ctx, args),
        Verb::Import(args) => import::run(ctx, args),
        Verb::Export(args) => export::run(ctx, args),
        Verb::History(args) => history::run(ctx, args),
        Verb::Status(args) => status::run(ctx, args),
        Verb::Sync(args) => sync::run(ctx, args),
        Verb::Pull(args) => pull::run(ctx, args),
        Verb::Copy(args) => copy::run(ctx, args),
        Verb::Diff(args) => diff::run(ctx, args),
        Verb::Migrate(args) => migrate::run(ctx, args),
        Verb::Rotate(args) => rotate::run(ctx, args),
        Verb::Xero(args) => xero::run(ctx, args),
        Verb::Backup(args) => backup::run(ctx, args),
        Verb::Exec(args) => exec::run(ctx, args),
        Verb::Recipients(args) => recipients::run(ctx, args),
        Verb::Doctor(args) => doctor::run(ctx, args),
        Verb::Policy(args) => policy::run(ctx, args),
        Verb::Hooks(args) => hooks::run(ctx, args),
        Verb::Operations(args) => operations::list(ctx, args),
        Verb::Resume(args) => operations::resume(ctx, args),
        Verb::Undo(args) => operations::undo(ctx, args),
        Verb::Schema(args) => schema::run(ctx, args),
        Verb::Completions(args) => completions::run(ctx, args),
        Verb::Man(args) => man::run(ctx, args),
    }
}

/// Goes on with an operation that is more than a change of values, by the command that began it: words of ours, with one
/// space between two of them.
fn go_on(ctx: &Context, id: &OperationId, command: &str, skip_changed: bool) -> anyhow::Result<Exit> {
    let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
    match parse(&words).map(|cli| cli.verb) {
        Ok(Verb::Migrate(args)) => migrate::go_on(ctx, &args, id, skip_changed),
        Ok(Verb::Rotate(args)) => rotate::go_on(ctx, &args, id, skip_changed),
        Ok(Verb::Undo(_)) => rotate::go_on_taking_back(ctx, id, skip_changed),
        Ok(Verb::Xero(args)) => xero::go_on(ctx, &args, id, skip_changed),
        _ => Err(ApplyError::GoesOn { operation: id.clone(), command: command.to_owned() }.into()),
    }
}

/// Forgets an operation of which nothing is in a place yet, or that nobody can go on with, where the command that began it
/// knows how; `false` where it is to be undone like every other.
fn forget(ctx: &Context, id: &OperationId, command: &str) -> anyhow::Result<bool> {
    let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
    match parse(&words).map(|cli| cli.verb) {
        Ok(Verb::Xero(args)) => xero::forget(ctx, &args, id),
        Ok(Verb::Rotate(args)) => rotate::forget(ctx, &args, id),
        _ => Ok(false),
    }
}

/// Whether an operation that cannot be taken back may be ended as it stands, by the command that began it.
fn may_be_forgotten(ctx: &Context, command: &str) -> bool {
    let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
    matches!(parse(&words).map(|cli| cli.verb), Ok(Verb::Rotate(args)) if rotate::may_be_forgotten(ctx, &args))
}

/// Refuses to undo what would bring back something that is not accepted any more, by the command that began it. Answers with
/// what a person should know before.
fn may_be_undone(ctx: &Context, id: &OperationId, command: &str) -> anyhow::Result<Vec<String>> {
    let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
    match parse(&words).map(|cli| cli.verb) {
        Ok(Verb::Rotate(args)) => rotate::may_be_undone(ctx, &args, id),
        _ => Ok(Vec::new()),
    }
}

/// Undoes an operation that others may hang on, by the command that began it, if one goes on with it.
fn take_back(
    ctx: &Context,
    which: (&OperationId, &str),
    (undo, plan): (Undo, &Plan),
    stores: &Stores,
    began: Option<&str>,
) -> anyhow::Result<Exit> {
    let words: Vec<OsString> = began.unwrap_or_default().split(' ').map(OsString::from).collect();
    match parse(&words).map(|cli| cli.verb) {
        Ok(Verb::Rotate(args)) => rotate::take_back(ctx, which, (undo, plan), stores, Some(&args)),
        _ => rotate::take_back(ctx, which, (undo, plan), stores, None),
    }
}

/// Parses the command line, does what it says, reports, and gives the exit code.
pub fn main() -> ExitCode {
    let limits = harden::process();
    ui::quiet_panics();
    if let Some(exit) = complete::answer_shell() {
        return exit.into();
    }
    let arguments: Vec<OsString> = context::arguments();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&arguments, &error).into(),
    };
    let ui = Ui::new(&cli.global);
    harden::log(cli.global.verbose);
    let mut ctx = Context::new(ui, cli.global, limits);
    let outcome = run(&mut ctx, &cli.verb);
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            let report = Report::of(&error);
            ctx.ui.error(&report);
            report.exit.into()
        }
    }
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = command().color(early(arguments).color.into()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// Help and version are data; everything else that clap refuses is a usage error, in JSON too where that was asked for.
fn refuse(arguments: &[OsString], error: &clap::Error) -> Exit {
    let Early { json, color, .. } = early(arguments);
    if json && error.use_stderr() {
        Ui::bare(json, color).error(&Report::of_usage(error));
        return Exit::Usage;
    }
    match error.print() {
        Ok(()) if !error.use_stderr() => Exit::Done,
        Ok(()) | Err(_) => Exit::from_usage(error),
    }
}

/// What matters before the line is known to be good: how a refusal is to look, and which manifest completion is about.
#[derive(Debug, Default)]
struct Early {
    json: bool,
    color: Color,
    config: Option<PathBuf>,
}

fn early(arguments: &[OsString]) -> Early {
    let twin = |name| context::variable(name).map(|text| text.to_string_lossy().into_owned());
    let mut found = Early {
        json: twin("STRONGROOM_JSON").is_some_and(|text| switch(&text) == Ok(true)),
        color: twin("STRONGROOM_COLOR").and_then(|text| color(&text).ok()).unwrap_or_default(),
        config: None,
    };
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let mut words = words.take_while(|word| word != "--");
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (word.into_owned(), None),
        };
        let mut value = || value.clone().or_else(|| words.next().map(|next| next.into_owned()));
        match flag.as_str() {
            "--json" => found.json = true,
            "--color" => found.color = value().and_then(|text| color(&text).ok()).unwrap_or(found.color),
            "--config" | "-c" => found.config = value().map(PathBuf::from),
            _ => {}
        }
    }
    found
}

/// The whole command tree, for parsing, completion and manual pages.
fn command() -> clap::Command {
    Cli::command()
}

/// A path; clap's own parser refuses an empty one, and an empty twin is none.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("1 or 0 is expected, also true, yes, on, false, no, off".to_owned()),
    }
}

fn level(text: &str) -> Result<u8, String> {
    match text {
        "" => Ok(0),
        _ => text.parse().map_err(|_| "a number is expected: 1 for -v, 2 for -vv".to_owned()),
    }
}

fn color(text: &str) -> Result<Color, String> {
    match text {
        "" | "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err("auto, always or never is expected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
    }

    /// Help is wrapped at 100 columns; a line of an example or a paragraph that was wrapped by hand past that breaks twice.
    #[test]
    fn no_line_of_help_that_is_wrapped_by_hand_is_wrapped_again() {
        fn check(command: &clap::Command) {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }

    /// A flag without its twin, or a verb without a line of help, is one that somebody forgot.
    #[test]
    fn every_global_flag_has_a_twin_and_every_verb_says_what_it_does() {
        let command = command();
        for flag in
            command.get_arguments().filter(|flag| !["help", "version"].contains(&flag.get_id().as_str()))
        {
            let twin = format!("STRONGROOM_{}", flag.get_id().as_str().to_uppercase());
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(twin.as_str()));
        }
        for verb in command.get_subcommands() {
            assert!(verb.get_about().is_some(), "{} has no help", verb.get_name());
        }
    }
}
