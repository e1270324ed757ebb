//! The hook itself: a script for `sh` that writes `.env` for Docker Compose.
//!
//! Owns its text. It has to be right in bash and in dash, to need nothing that an instance may lack, and to say no value:
//! what it prints is in the instance's log. Its form of a value is the one that `render` writes for Compose.

use super::{Given, HooksError};
use crate::name::Key;

/// Where the hook belongs in a bundle. Beanstalk runs the second instead of the first where only the configuration
/// changes, so both have to be there.
pub const HOOK_FILES: [&str; 2] = [
    ".platform/hooks/predeploy/50_strongroom_env.sh",
    ".platform/confighooks/predeploy/50_strongroom_env.sh",
];

/// The script's own variables begin so.
const OWN: &str = "_sr_";

/// What bash or dash sets, counts or forbids to set, or the script needs; the environment's value of it is not to be had.
const OF_THE_SHELL: &[&str] = &[
    "BASH",
    "BASHOPTS",
    "BASHPID",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "LC_ALL",
    "LINENO",
    "MACHTYPE",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PATH",
    "PIPESTATUS",
    "PPID",
    "PS1",
    "PS2",
    "PS4",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
    "_",
];

const START: &str = r#"#!/bin/sh
# Made by strongroom: `strongroom hooks --write` makes it again when the manifest changes.
#
# Writes .env for Docker Compose from the environment properties that Elastic Beanstalk gives its hooks: plain ones and
# those that it has resolved from references, which `get-config environment` does not tell. Each value is quoted, so that
# Compose reads it exactly as it is: with the `$` that Beanstalk doubles in the .env of its own, in several lines, with
# quotes. The same file has to be in .platform/hooks/predeploy and in .platform/confighooks/predeploy.
set -eu
umask 077
LC_ALL=C

_sr_folder=/var/app/staging
[ -d "$_sr_folder" ] || _sr_folder=.
_sr_file=$_sr_folder/.env
_sr_new=$_sr_folder/.env.strongroom-tmp
_sr_missing=

# Notes a variable that is not there.
_sr_need() {
    [ -n "$2" ] || _sr_missing="$_sr_missing $1"
}

# Writes one line: in single quotes where nothing needs thought, else in double quotes with escapes.
_sr_put() {
    case $2 in
    *[\'\\]*) ;;
    *)
        printf "%s='%s'\n" "$1" "$2"
        return
        ;;
    esac
    # By sed, because shells take minutes to cut a long value in pieces. No value is an argument of a program.
    printf '%s="' "$1"
    printf '%s' "$2" | LC_ALL=C sed 's/[\\"$]/\\&/g'
    printf '"\n'
}

# Keeps what Beanstalk itself gives to docker-compose.yml.
_sr_keep() {
    [ -f "$_sr_file" ] || return 0
    while IFS= read -r _sr_line || [ -n "$_sr_line" ]; do
        case $_sr_line in
        EB_LOG_BASE_DIR=*) printf '%s\n' "$_sr_line" ;;
        esac
    done <"$_sr_file"
}

"#;

const CHECKED: &str = r#"if [ -n "$_sr_missing" ]; then
    printf 'strongroom: these properties are missing, and .env was not written:%s\n' "$_sr_missing" >&2
    printf 'strongroom: `strongroom sync` gives them to the environment\n' >&2
    exit 1
fi

trap 'rm -f "$_sr_new"' EXIT
trap 'exit 1' HUP INT TERM
rm -f "$_sr_new"
{
    printf '# Made by strongroom, from the environment properties of Elastic Beanstalk\n'
"#;

const END: &str = r#"} >"$_sr_new"
mv -f "$_sr_new" "$_sr_file"
"#;

pub(super) fn hook(given: &[Given]) -> Result<String, HooksError> {
    let names: Vec<Key> =
        given.iter().map(|variable| &variable.name).filter(|name| is_of_the_shell(name)).cloned().collect();
    if !names.is_empty() {
        return Err(HooksError::OfTheShell { names });
    }
    let mut text = START.to_owned();
    for Given { name, .. } in given.iter().filter(|variable| !variable.optional) {
        text.push_str(&format!("_sr_need {name} \"${{{name}+there}}\"\n"));
    }
    text.push_str(CHECKED);
    if !given.iter().any(|variable| variable.name.as_str() == "EB_LOG_BASE_DIR") {
        text.push_str("    _sr_keep\n");
    }
    for Given { name, optional, .. } in given {
        let unless_missing =
            if *optional { format!("[ -z \"${{{name}+there}}\" ] || ") } else { String::new() };
        text.push_str(&format!("    {unless_missing}_sr_put {name} \"${name}\"\n"));
    }
    text.push_str(END);
    Ok(text)
}

fn is_of_the_shell(name: &Key) -> bool {
    let name = name.as_str();
    OF_THE_SHELL.contains(&name) || name.starts_with("BASH_") || name.starts_with(OWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, optional: bool) -> Given {
        let address = format!("app/{name}").parse().unwrap();
        Given { name: name.parse().unwrap(), address, optional, secret: true }
    }

    #[test]
    fn a_name_that_means_something_to_the_shell_is_refused() {
        for name in ["SECONDS", "BASH_ENV", "_sr_rest", "LC_ALL", "_"] {
            let error = hook(&[given("A", false), given(name, true)]).unwrap_err();
            assert_eq!(error, HooksError::OfTheShell { names: vec![name.parse().unwrap()] });
        }
    }

    #[test]
    fn only_what_is_required_is_asked_for() {
        let text = hook(&[given("A", false), given("B", true)]).unwrap();
        assert!(text.contains("_sr_need A ") && !text.contains("_sr_need B "));
        assert!(text.contains("_sr_put A ") && text.contains("_sr_put B "));
    }
}
