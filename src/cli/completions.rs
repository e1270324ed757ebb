//! `completions`: the script that makes a shell ask this program while somebody types. It completes nothing itself.

use super::complete::ASKING;
use super::context::Context;
use super::report::Exit;
use anyhow::Result;
use clap::Args;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

/// Print the script that completes commands, keys, environments and targets in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(strongroom completions bash)          # in ~/.bashrc
  source <(strongroom completions zsh)           # in ~/.zshrc, after compinit
  strongroom completions fish > ~/.config/fish/completions/strongroom.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

pub(super) fn run(ctx: &mut Context, args: &CompletionsArgs) -> Result<Exit> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    shell.write_registration(ASKING, "strongroom", "strongroom", "strongroom", &mut script)?;
    if matches!(args.shell, Shell::Bash) {
        script = with_files(&script);
    }
    ctx.ui.raw(&script)?;
    Ok(Exit::Done)
}

/// Where we offer nothing, bash completes file names as everywhere else: it quotes them, and knows a folder.
fn with_files(script: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(script).replace("-o bashdefault", "-o bashdefault -o default").into_bytes()
}
