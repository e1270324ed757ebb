//! The manifest in a backup: whether a restore brings it back, and what is said where it does not.
//!
//! Owns that an edited manifest is never replaced unasked, and that one is written where there is none.

use super::super::context::Context;
use super::super::report::{Exit, Stop};
use super::super::ui::shown;
use super::Opened;
use crate::apply;
use crate::backup;
use crate::manifest::Manifest;
use crate::plan::{Desired, Plan, Want};
use crate::secret::Secret;
use crate::store::{ManifestFile, Stores};
use anyhow::Result;

impl Context {
    /// The plan that writes the manifest of a backup: where there is none here, and where that is asked for.
    pub(super) fn plan_manifest(&self, opened: &Opened, stores: &Stores, asked: bool) -> Result<Plan> {
        let Some(then) = backup::manifest(&opened.document) else {
            return match asked {
                true => Err(Stop::new(Exit::Failed, "the backup has no manifest in it")
                    .hint("an older strongroom made it; without --with-manifest its values come back")
                    .into()),
                false => Ok(Plan::default()),
            };
        };
        if opened.elsewhere {
            let path = self.project()?.path.display().to_string();
            self.ui.note(&format!(
                "there is no manifest here: that of the backup is taken, and is to be {}",
                shown(&path)
            ));
        } else if !asked {
            return Ok(Plan::default());
        }
        let desired = Desired::from([(ManifestFile::address(), Want::value(then.clone()))]);
        let store = stores[ManifestFile::PLACE].as_ref();
        self.wait_for(async { Ok(apply::plan(ManifestFile::PLACE, store, &desired).await?) })
    }

    /// Tells where the manifest of a backup is another one than that which stays.
    pub(super) fn tell_other_manifest(&self, opened: &Opened) -> Result<()> {
        let Some(then) = backup::manifest(&opened.document) else { return Ok(()) };
        if opened.elsewhere || then.same_as(&self.manifest_text()?) {
            return Ok(());
        }
        let (name, home) = (&self.environment()?.name, self.home_name()?);
        self.ui.note(&match home_in(then, name.as_str()) {
            Some(was) if was != home => format!(
                "the manifest says `home = \"{home}\"` for `{name}` now, and the backup's said \"{was}\": `strongroom status` will show what does not agree with it; --with-manifest brings the backup's back too"
            ),
            _ => "the manifest has changed since the backup, and stays as it is; --with-manifest brings the backup's back too".to_owned(),
        });
        Ok(())
    }
}

fn home_in(text: &Secret, environment: &str) -> Option<String> {
    let manifest = Manifest::parse("the backup's manifest", text.expose()).ok()?;
    Some(manifest.environment(environment).ok()?.home.to_string())
}
