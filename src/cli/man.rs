//! `man`: the manual pages, from the same words as `--help`.

use super::command;
use super::context::Context;
use super::report::{Exit, Stop};
use anyhow::Result;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Print the manual page, or write one page per command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom man | man -l -
  strongroom man --out ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write strongroom.1, strongroom-exec.1 and so on to this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub(super) fn run(ctx: &mut Context, args: &ManArgs) -> Result<Exit> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command()).render(&mut page)?;
        ctx.ui.raw(&page)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command(), folder)).map_err(
        |error| {
            Stop::new(Exit::Failed, format!("cannot write manual pages to {}", folder.display()))
                .because(error)
        },
    )?;
    Ok(Exit::Done)
}
