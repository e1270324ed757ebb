//! Hooks of a deployment that do not run: without their twin, or without the permission to.

use super::Project;
use super::finding::Finding;
use super::tree::File;

/// Hooks without a twin for deployments of settings, and hooks that are not executable.
pub(super) fn hooks_that_do_not_run(project: &Project<'_>) -> Vec<Finding> {
    let hooks = project.tree.files.iter().filter(|file| file.is_hook());
    hooks.flat_map(|file| without_twin(project, file).into_iter().chain(not_executable(file))).collect()
}

fn without_twin(project: &Project<'_>, file: &File) -> Option<Finding> {
    let name = file.path.strip_prefix(".platform/hooks/predeploy/")?;
    let twin = format!(".platform/confighooks/predeploy/{name}");
    let finding = Finding::problem("hook-without-twin", format!("{name} is missing in .platform/confighooks/predeploy"))
        .why(
            "a change of settings deploys with `confighooks` in the place of `hooks`: after it the app runs without what \
             this hook does",
        )
        .fix(format!("`mkdir -p .platform/confighooks/predeploy && cp -p {} {twin}`", file.path));
    project.tree.file(&twin).is_none().then(|| finding.file(&file.path))
}

fn not_executable(file: &File) -> Option<Finding> {
    let finding = Finding::problem("hook-not-executable", "the hook is not executable")
        .why("Beanstalk runs only hooks that are, and some platforms stop the deployment at one that is not")
        .fix(format!("`chmod +x {}`", file.path));
    (file.mode & 0o111 == 0).then(|| finding.file(&file.path))
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::{Fixture, places};

    #[test]
    fn a_hook_needs_its_twin_and_the_permission_to_run() {
        let hook = ".platform/hooks/predeploy/10_env.sh";
        let twin = ".platform/confighooks/predeploy/10_env.sh";
        let alone = Fixture::new("A = {}\n").program(hook);
        assert_eq!(places(&alone.check(super::hooks_that_do_not_run)), [format!("hook-without-twin {hook}")]);
        let pair = Fixture::new("A = {}\n").program(hook).program(twin);
        assert!(pair.check(super::hooks_that_do_not_run).is_empty());
        let text = Fixture::new("A = {}\n").program(hook).file(twin, "");
        assert_eq!(
            places(&text.check(super::hooks_that_do_not_run)),
            [format!("hook-not-executable {twin}")]
        );
        let other = Fixture::new("A = {}\n").program(".platform/hooks/postdeploy/x.sh");
        assert!(other.check(super::hooks_that_do_not_run).is_empty());
    }
}
