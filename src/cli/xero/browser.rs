//! Opening an address where a person can log in.
//!
//! Owns which program that is. What it says goes nowhere, and it is not waited for: a browser runs for long.

use crate::cli::context::variable;
use std::process::{Command, Stdio};

#[cfg(target_os = "macos")]
const USUAL: &str = "open";
#[cfg(not(target_os = "macos"))]
const USUAL: &str = "xdg-open";

/// Opens it with what `BROWSER` names, else with the system's opener; `false` where neither can be started.
pub(super) fn open(address: &str) -> bool {
    let named = variable("BROWSER").map(|text| text.to_string_lossy().into_owned());
    let listed = named.as_deref().unwrap_or(USUAL);
    listed.split(':').filter(|one| !one.trim().is_empty()).any(|one| start(one, address))
}

/// Starts one program of the list: words, with `%s` where the address goes, else the address last.
fn start(line: &str, address: &str) -> bool {
    let mut words: Vec<String> = line.split_whitespace().map(|word| word.replace("%s", address)).collect();
    if !line.contains("%s") {
        words.push(address.to_owned());
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

/// Whether somebody said which browser to use, who then also wants it where there is no terminal.
pub(super) fn is_named() -> bool {
    variable("BROWSER").is_some()
}
