//! The places of an environment, opened: home and its copies, by the names that plans use.
//!
//! Owns which stores a verb works on. It reads and writes no value.

use super::context::Context;
use super::report::Stop;
use crate::manifest::{CopySpec, Place};
use crate::store::{Store, Stores};
use anyhow::Result;

/// A copy as plans, journals and messages name it.
pub(super) fn place_of(copy: &CopySpec) -> crate::plan::Place {
    Place::Beanstalk { copy: copy.name.clone() }.to_string()
}

impl Context {
    /// The places of the environment by their names in plans. They are opened when they are first called.
    pub(super) fn stores(&self) -> Result<Stores> {
        let mut stores = Stores::from([(self.home_name()?, self.home()? as Box<dyn Store>)]);
        for copy in self.copies()? {
            stores.insert(place_of(copy), self.copy(copy)?);
        }
        Ok(stores)
    }

    /// The copies that must agree with home; home itself is none, where it is declared as one.
    pub(super) fn copies(&self) -> Result<Vec<&CopySpec>> {
        let environment = self.environment()?;
        let home = environment.home.to_string();
        Ok(environment.copies.values().filter(|copy| place_of(copy) != home).collect())
    }

    /// The copies of these names; all of them where none is named.
    pub(super) fn named_copies(&self, names: &[String]) -> Result<Vec<&CopySpec>> {
        let copies = self.copies()?;
        for name in names {
            if !copies.iter().any(|copy| copy.name == *name) {
                let environment = self.environment()?;
                let known: Vec<&str> = copies.iter().map(|copy| copy.name.as_str()).collect();
                let stop =
                    Stop::usage(format!("`{}` is no copy of `{}`", super::ui::shown(name), environment.name));
                return Err(match known.is_empty() {
                    true => stop.hint(format!(
                        "it has none: declare `[environments.{}.copies.{}]`",
                        environment.name,
                        super::ui::shown(name)
                    )),
                    false => stop.hint(format!("its copies: {}", known.join(", "))),
                }
                .into());
            }
        }
        Ok(copies.into_iter().filter(|copy| names.is_empty() || names.contains(&copy.name)).collect())
    }

    /// Who we are on AWS, for the head of a plan; empty where no place of the run is there. The account is the declared
    /// one, or nothing is shown and nothing done.
    pub(super) fn caller_line(&self) -> Result<String> {
        let Some(aws) = self.aws.get() else { return Ok(String::new()) };
        let caller = self.wait_for(async { Ok(aws.check_account().await?.clone()) })?;
        Ok(format!("as {}, account {}\n", super::ui::shown(&caller.arn), super::ui::shown(&caller.account)))
    }
}
