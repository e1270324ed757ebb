//! `xero login`: a person logs in, and the tokens of a connection are stored.
//!
//! Owns what is asked, shown and said. The login itself is [`crate::xero`]'s, what is done with its answer
//! [`crate::authorise`]'s. The address that the browser is sent to is no secret; the one that it comes back with is not
//! shown.

use super::listen::{Listener, Redirect, USUAL};
use super::store::finish;
use super::{Connection, browser, held};
use crate::apply;
use crate::authorise::{self, AuthoriseError};
use crate::cli::context::{Context, random_bytes};
use crate::cli::operations::{midway_by, none_midway_but};
use crate::cli::reading::Held;
use crate::cli::report::{Exit, Stop};
use crate::cli::ui::shown;
use crate::journal::Begin;
use crate::manifest::Missing;
use crate::name::Address;
use crate::secret::Secret;
use crate::store::OperationId;
use crate::xero::{Claims, Client, Grant, LoginError, Parts, Pkce, XeroError, authorize_address, redirected};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::BufRead as _;
use std::time::Duration;
use zeroize::Zeroizing;

/// Log in at Xero and store the tokens of a connection
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod xero login 1
  strongroom -e prod xero login 3          (a new one, whose client_id and client_secret are set)
  strongroom -e prod xero login 1 --paste  (where the browser runs on another machine)

The browser comes back to `redirect_url` of the manifest (else http://localhost:8765/callback),
which has to be registered with the app at developer.xero.com. Tokens are sealed in an operation
before they are read: after an interruption `strongroom resume` stores them, without another login.")]
pub(super) struct LoginArgs {
    /// The connection: an instance of the group, which may be new (NAME/INSTANCE of several rotations)
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,

    /// Do not listen: read the address that the browser ended on from the terminal, or from stdin
    #[arg(long)]
    paste: bool,

    /// The organisation, where the user has connected several; or another one than home has
    #[arg(long, value_name = "ID|NAME")]
    tenant: Option<String>,

    /// How long the browser is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 300, conflicts_with = "paste")]
    timeout: u64,
}

/// Scopes that every app may ask for, where nobody says which and no earlier login tells.
const SCOPES: &[&str] = &["accounting.settings", "accounting.contacts"];

pub(super) fn run(ctx: &Context, args: &LoginArgs) -> Result<Exit> {
    let connection = Connection::chosen(ctx, args.instance.as_deref())?;
    let goes_on = goes_on(ctx, &connection)?;
    if let Some(id) = midway_by(ctx, &goes_on)? {
        ctx.ui.note(&format!("the login of {id} was not stored yet: going on with that one"));
        return finish(ctx, &connection, args.tenant.as_deref(), &id, false);
    }
    // A rotation that waits for this login is not in its way: it finds the new pair, and takes it.
    none_midway_but(ctx, |one| one.command.starts_with("rotate ") && one.total == 0)?;
    let held = held(ctx, connection.spec)?;
    let login = Login::of(ctx, &connection, &held, args)?;
    let command = format!("xero login {}", connection.shown());
    ctx.ui.show(&login.text(ctx, &command)?);
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return Ok(Exit::Done);
    }
    let environment = ctx.environment()?;
    let question = format!("Log in at Xero for `{}` of `{}`?", connection.shown(), environment.name);
    ctx.ui.approve(&question, environment.protected.then_some(&environment.name))?;
    let pkce = Pkce::new(&random_bytes(), &random_bytes());
    let code = login.code(ctx, args, &pkce)?;
    let home = ctx.home_location()?;
    let begin =
        Begin { command: &command, undoes: None, goes_on: Some(&goes_on), in_order: true, home: Some(&home) };
    let (journal, xero, client) = (ctx.journal()?, connection.xero(), login.client.client());
    let grant = Grant::Code { code: &code, pkce: &pkce, redirect: &login.redirect };
    let exchange = async {
        let done = authorise::exchange(&journal, &begin, &xero, &client, &grant).await;
        done.map_err(|error| refused(&connection, error).into())
    };
    let id = ctx.wait_for(exchange)?;
    finish(ctx, &connection, args.tenant.as_deref(), &id, false)
}

/// Goes on with a login whose tokens were not stored yet.
pub(super) fn go_on(ctx: &Context, args: &LoginArgs, id: &OperationId, skip_changed: bool) -> Result<Exit> {
    let connection = Connection::chosen(ctx, args.instance.as_deref())?;
    finish(ctx, &connection, args.tenant.as_deref(), id, skip_changed)
}

/// Forgets a login of which nothing was stored; `false` where something was.
pub(super) fn forget(ctx: &Context, id: &OperationId) -> Result<bool> {
    let mut operation = apply::reopened(&ctx.journal()?, id)?;
    if operation.ending().is_some() || !operation.writes().is_empty() {
        return Ok(false);
    }
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return Ok(true);
    }
    ctx.ui.approve(&format!("Forget the login of {id}, of which nothing was stored?"), None)?;
    authorise::give_up(&mut operation, "the login was forgotten")?;
    ctx.ui.note(&format!("{id}: nothing of the login was stored, and it is forgotten"));
    Ok(true)
}

fn goes_on(ctx: &Context, connection: &Connection<'_>) -> Result<String> {
    Ok(format!("strongroom -e {} xero login {}", ctx.environment()?.name, connection.word()))
}

/// The app, as home has it.
pub(super) struct App {
    id: Secret,
    secret: Secret,
}

impl App {
    pub(super) fn of(ctx: &Context, parts: &Parts, held: &Held) -> Result<App> {
        let value =
            |address: &Address| held.snapshot.value(address).filter(|value| !value.is_empty()).cloned();
        match (value(&parts.client_id), value(&parts.client_secret)) {
            (Some(id), Some(secret)) => Ok(App { id, secret }),
            (id, secret) => {
                let missing = [(&parts.client_id, id), (&parts.client_secret, secret)];
                let missing = missing.into_iter().filter(|(_, value)| value.is_none());
                let addresses = missing.map(|(address, _)| address.clone()).collect();
                let environment = ctx.environment()?.name.clone();
                Err(Missing { environment, addresses }.into())
            }
        }
    }

    pub(super) fn client(&self) -> Client<'_> {
        Client { id: self.id.expose(), secret: Some(&self.secret) }
    }
}

/// A login that is about to begin.
struct Login {
    client: App,
    authorize_url: String,
    redirect: String,
    /// Where to listen; nowhere where the address is pasted.
    listens: Option<Redirect>,
    scopes: Vec<String>,
    /// Why these, where the manifest does not say.
    why: &'static str,
}

#[derive(Serialize)]
struct Authorize<'a> {
    address: &'a str,
}

impl Login {
    fn of(ctx: &Context, connection: &Connection<'_>, held: &Held, args: &LoginArgs) -> Result<Login> {
        let (spec, parts) = (connection.spec, &connection.parts);
        let client = App::of(ctx, parts, held)?;
        connection.xero().check().map_err(|error| {
            let hint = error.advice();
            Stop::new(Exit::Manifest, "token_url or api_url cannot be used").because(error).hint(hint)
        })?;
        let redirect = spec.redirect_url.clone().unwrap_or_else(|| USUAL.to_owned());
        let listens = Redirect::of(&redirect);
        if listens.is_none() && !args.paste {
            let message = format!("`{}` is no address of this machine to listen on", shown(&redirect));
            return Err(Stop::usage(message)
                .hint("`--paste` takes the address that the browser was sent back to")
                .hint("or name one in `redirect_url` of the manifest: http://localhost:PORT/PATH, registered with the app at Xero too")
                .into());
        }
        let before = held.snapshot.value(&parts.access_token).map(Claims::of).unwrap_or_default();
        let (scopes, why) = match (spec.scopes.is_empty(), before.scopes.is_empty()) {
            (false, _) => (spec.scopes.clone(), ""),
            (true, false) => (before.scopes, ", as the login before"),
            (true, true) => {
                (SCOPES.iter().map(|scope| (*scope).to_owned()).collect(), ", as `scopes` names none")
            }
        };
        let listens = listens.filter(|_| !args.paste);
        Ok(Login { client, authorize_url: spec.authorize_url.clone(), redirect, listens, scopes, why })
    }

    /// What will happen, before anybody is asked.
    fn text(&self, ctx: &Context, command: &str) -> Result<String> {
        Ok(format!(
            "{command}\n{}{}\n  the tokens that Xero gives take the place of those that are there\n  \
             asks for {}{}\n  comes back to {} (registered with the app at Xero)\n",
            ctx.caller_of_places()?,
            shown(&ctx.home_location()?),
            shown(&self.scopes.join(", ")),
            self.why,
            shown(&self.redirect),
        ))
    }

    /// Sends the person to Xero, and waits for what comes back.
    fn code(&self, ctx: &Context, args: &LoginArgs, pkce: &Pkce) -> Result<Secret> {
        let id = self.client.id.expose();
        let address = authorize_address(&self.authorize_url, id, &self.redirect, &self.scopes, pkce);
        // Before anybody is sent there.
        let listener = match &self.listens {
            Some(redirect) => Some(ctx.wait_for(Listener::bind(redirect))?),
            None => None,
        };
        match ctx.ui.json() {
            true => ctx.ui.document("xero-authorize", &Authorize { address: &address })?,
            false => ctx.ui.text(&address)?,
        }
        let judge = |back: &str| redirected(back, pkce);
        let Some(listener) = listener else {
            let back = pasted(ctx)?;
            return judge(&back).map_err(|why| {
                Stop::new(Exit::Person, why.to_string())
                    .hint("run it again and log in; nothing was changed")
                    .into()
            });
        };
        let wanted = ctx.ui.can_ask() || browser::is_named();
        match wanted && browser::open(&address) {
            true => ctx.ui.note("the browser opens; if not, open that address in one on this machine"),
            false => ctx.ui.note("open that address in a browser on this machine, or use `--paste`"),
        }
        let tell = |why: LoginError| {
            let what = match why {
                LoginError::OtherLogin => "with the state of another login",
                _ => "without a code",
            };
            ctx.ui.warning(&format!("somebody came to {} {what}: turned away", shown(&self.redirect)));
        };
        ctx.wait_for(listener.answer(Duration::from_secs(args.timeout), judge, tell))
    }
}

/// The address that the browser was sent back to, as a person gives it. It holds the code.
fn pasted(ctx: &Context) -> Result<Zeroizing<String>> {
    if ctx.ui.stdin_is_terminal() {
        ctx.ui.note(
            "open that address in any browser and log in; it ends on a page that may not load: its address is what is wanted",
        );
        return ctx.ui.ask_passphrase("That page's address (not shown)", "give it on stdin");
    }
    let mut line = Zeroizing::new(String::with_capacity(16 * 1024));
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Stop::new(Exit::Failed, "cannot read stdin").because(error))?;
    if line.trim().is_empty() {
        return Err(Stop::usage("nothing came on stdin; nothing was changed")
            .hint("give the address that the browser was sent back to, on one line")
            .into());
    }
    Ok(line)
}

/// Why there are no tokens, for a person who has to log in again.
pub(super) fn refused(connection: &Connection<'_>, error: AuthoriseError) -> Stop {
    let again = format!("then log in again: `strongroom xero login {}`", connection.word());
    let AuthoriseError::Refused(error) = error else {
        return Stop::new(Exit::Person, "the login is lost; nothing was changed")
            .because(error)
            .hint(format!("look at the state folder, {again}"));
    };
    let what = match &error {
        XeroError::Client { .. } => format!(
            "`strongroom set {}` and `strongroom set {}` take what developer.xero.com tells of the app",
            connection.parts.client_id, connection.parts.client_secret
        ),
        XeroError::Grant { .. } => {
            return Stop::new(
                Exit::Person,
                "Xero does not take the code of this login (invalid_grant); nothing was changed",
            )
            .hint(format!(
                "a code is good once, for five minutes: log in again: `strongroom xero login {}`",
                connection.word()
            ));
        }
        XeroError::NotAllowed { .. } => {
            "is the app a Custom Connection, disabled or deleted? Those have no logins".to_owned()
        }
        XeroError::Unsent(_) => "check the network, and token_url in the manifest".to_owned(),
        XeroError::Broken { .. } | XeroError::Request { .. } => "check token_url in the manifest".to_owned(),
        _ => "wait a moment".to_owned(),
    };
    Stop::new(Exit::Person, "the login gave no tokens; nothing was changed")
        .because(error)
        .hint(format!("{what}; {again}"))
}
