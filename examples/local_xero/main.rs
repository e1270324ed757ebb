//! A local Xero, to try `rotate` and `xero login` without an organisation: `cargo run --example local_xero`.
//!
//! Owns the arguments and what is printed; what it answers is in `xero`. It runs until it is interrupted.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[expect(dead_code, unused_imports, reason = "the tests use more of it than this program does")]
mod xero;

use clap::Parser;
use jiff::SignedDuration;
use xero::{Siblings, Xero};

/// Xero's identity server and its list of connections on 127.0.0.1.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on; any free one without.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A user and an organisation of theirs, as NAME=ORGANISATION; may be repeated.
    #[arg(long, value_parser = user, default_value = "demo@example.com=Demo Company")]
    user: Vec<(String, String)>,
    /// Where people may be sent back to after a login; may be repeated.
    #[arg(long)]
    redirect: Vec<String>,
    /// Of several pairs that came of one refresh token, only the last is good.
    #[arg(long)]
    last_only: bool,
    /// How many seconds its clock is ahead.
    #[arg(long, default_value_t = 0)]
    ahead: i64,
}

fn user(text: &str) -> Result<(String, String), String> {
    let (name, organisation) = text.split_once('=').ok_or("write NAME=ORGANISATION")?;
    Ok((name.to_owned(), organisation.to_owned()))
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let xero = Xero::on(arguments.port)?;
    xero.advance(SignedDuration::from_secs(arguments.ahead));
    xero.world(|world| {
        if arguments.last_only {
            world.behaviour.siblings = Siblings::LastOnly;
        }
        world.apps.values_mut().for_each(|app| app.redirects.extend(arguments.redirect.clone()));
    });
    println!("# in the manifest:");
    println!("# [rotate.xero]");
    println!("token_url = \"{}\"", xero.url(xero::TOKEN));
    println!("api_url = \"{}\"", xero.url(""));
    println!("authorize_url = \"{}\"", xero.url(xero::AUTHORIZE));
    println!("# client_id     {}", xero::CLIENT_ID);
    println!("# client_secret {}", xero::CLIENT_SECRET);
    for (name, organisation) in &arguments.user {
        let (_, refresh) = xero.login(name, &[organisation]);
        println!("# refresh_token {refresh} ({name}, {organisation})");
    }
    println!("# curl -X POST '{}'   puts its clock forward", xero.url("/_ctl/advance?seconds=1800"));
    println!("# curl '{}'   tells the story of every refresh token", xero.url("/_ctl/audit"));
    loop {
        std::thread::park();
    }
}
