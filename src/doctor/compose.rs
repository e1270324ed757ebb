//! Compose files whose services do not get what is rendered for them.

use super::Project;
use super::finding::Finding;
use super::tree::File;
use super::yaml::{self, Node};
use crate::render::Dialect;

/// The names under which Compose looks for its file.
pub(crate) const MAIN: [&str; 4] =
    ["docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"];

/// Services that would start without the variables that are made for them.
pub(super) fn services_without_the_file(project: &Project<'_>) -> Vec<Finding> {
    let rendered = rendered(project);
    let deploys = project.manifest.environments().any(|environment| !environment.copies.is_empty());
    if rendered.is_empty() && !deploys {
        return Vec::new();
    }
    let files = project.tree.files.iter().filter(|file| MAIN.contains(&file.path.as_str()));
    files.flat_map(|file| in_file(file, &rendered)).collect()
}

/// The files of targets that Compose reads, whatever the environment.
fn rendered(project: &Project<'_>) -> Vec<String> {
    let targets = project.manifest.renders().filter(|target| target.dialects.contains(&Dialect::Compose));
    let files = targets.flat_map(|target| {
        let files =
            target.environments.iter().map(|environment| target.file_in(project.manifest, environment));
        files.collect::<Vec<_>>()
    });
    files.collect()
}

/// The services of a file that take none of the files that are made for them.
pub(crate) fn in_file(file: &File, rendered: &[String]) -> Vec<Finding> {
    let Ok(root) = yaml::read(&file.text) else { return Vec::new() };
    let services: Vec<(&String, &Node)> = root
        .get("services")
        .into_iter()
        .flat_map(Node::entries)
        .map(|(name, service)| (name, service.as_ref()))
        .collect();
    let takes = |service: &Node| {
        let files = env_files(service);
        files.iter().any(|path| rendered.is_empty() || rendered.iter().any(|file| file == path))
    };
    let env = rendered.first().map_or(".env", String::as_str);
    if !services.is_empty() && !services.iter().any(|(_, service)| takes(service)) {
        let finding = Finding::warning("compose-without-env-file", format!("no service reads {env}"))
            .why("a `.env` beside a Compose file fills in ${…} in that file only: the containers do not get it")
            .fix(format!("add `env_file: [{env}]` to the services that need it"));
        return vec![finding.line(&file.path, root.get("services").map_or(1, |node| node.line))];
    }
    let built = services.iter().filter(|(_, service)| {
        service.get("build").is_some()
            && service.get("environment").is_none()
            && env_files(service).is_empty()
    });
    built
        .map(|(name, service)| {
            Finding::warning("compose-without-env-file", format!("the service `{name}` gets no variables"))
                .why("it is built from this project, and starts without the values that are rendered for it")
                .fix(format!("add `env_file: [{env}]` to it, if it needs them"))
                .line(&file.path, service.line)
        })
        .collect()
}

/// The files that a service takes: a path, a list of paths, or of maps with a `path`.
pub(crate) fn env_files(service: &Node) -> Vec<&str> {
    let Some(files) = service.get("env_file") else { return Vec::new() };
    let single = files.text().into_iter();
    let listed = files.items().iter().filter_map(|node| node.text().or_else(|| node.get("path")?.text()));
    single.chain(listed).map(|path| path.trim_start_matches("./")).collect()
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::{Fixture, places};

    fn found(compose: &str) -> Vec<String> {
        let fixture =
            Fixture::new("A = {}\n").file("docker-compose.yml", compose).file("sub/compose.yml", compose);
        places(&fixture.check(super::services_without_the_file))
    }

    #[test]
    fn a_file_that_no_service_reads_is_told() {
        let text =
            "services:\n  web:\n    image: a\n  db:\n    image: postgres\n    environment: {A: \"${A}\"}\n";
        assert_eq!(found(text), ["compose-without-env-file docker-compose.yml:2"]);
        for env_file in ["env_file: .env", "env_file: [./.env]", "env_file: [{path: .env, required: false}]"]
        {
            assert_eq!(found(&text.replace("image: a", env_file)), Vec::<String>::new(), "{env_file}");
        }
        assert_eq!(found(&text.replace("image: a", "env_file: other.env")).len(), 1);
    }

    #[test]
    fn of_several_services_one_that_is_built_here_needs_variables_too() {
        let text =
            "services:\n  web:\n    env_file: .env\n  worker:\n    build: .\n  cache:\n    image: redis\n";
        assert_eq!(found(text), ["compose-without-env-file docker-compose.yml:5"]);
    }

    #[test]
    fn a_project_that_renders_nothing_for_compose_and_deploys_nothing_is_left_alone() {
        let fixture = Fixture::bare("A = {}\n").file("docker-compose.yml", "services:\n  web: {image: a}\n");
        assert!(fixture.check(super::services_without_the_file).is_empty());
    }
}
