//! The files of a project as they were read, and what each is by its path.

use zeroize::Zeroizing;

/// A file that was read.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path, from the manifest's folder on, with `/` between folders.
    pub path: String,
    /// What is in it. It may hold what should not be there.
    pub text: Zeroizing<String>,
    /// Its permissions.
    pub mode: u32,
    /// Whether git has it in its index.
    pub tracked: bool,
}

impl File {
    /// The name without the folders.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Its lines that are no comment, numbered from 1 on.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with('#'))
    }

    /// Settings that Beanstalk applies with every version.
    pub(crate) fn is_ebextension(&self) -> bool {
        let folder = self.path.starts_with(".ebextensions/") || self.path.contains("/.ebextensions/");
        folder && self.path.ends_with(".config")
    }

    /// Settings that somebody saved: a whole environment, made by `eb config save`, or an environment's manifest.
    pub(crate) fn is_saved_configuration(&self) -> bool {
        let inside = self.path.strip_prefix(".elasticbeanstalk/saved_configs/");
        self.path == "env.yaml" || inside.is_some_and(|name| name.ends_with(".cfg.yml"))
    }

    /// What `eb deploy` leaves out of a bundle.
    pub(crate) fn is_ebignore(&self) -> bool {
        self.path == ".ebignore"
    }

    /// Something that is run: of a deployment, or by what is.
    pub(crate) fn is_script(&self) -> bool {
        let by_name = self.path.ends_with(".sh") || ["Procfile", "Buildfile"].contains(&self.name());
        self.is_ebextension() || self.is_hook() || by_name || self.text.starts_with("#!")
    }

    /// A file that Docker Compose reads, of any name that it looks for.
    pub(crate) fn is_compose(&self) -> bool {
        let name = self.name();
        let stem = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml"));
        stem.is_some_and(|stem| {
            let own = |kind: &str| stem == kind || stem.starts_with(&format!("{kind}."));
            own("docker-compose") || own("compose")
        })
    }

    /// The file of Beanstalk's ECS platform.
    pub(crate) fn is_dockerrun(&self) -> bool {
        self.name() == "Dockerrun.aws.json"
    }

    /// A file of variables; examples of one, which are to be committed, are none.
    pub(crate) fn is_env(&self) -> bool {
        is_env(&self.path)
    }

    /// A program that Beanstalk runs at some point of a deployment.
    pub(crate) fn is_hook(&self) -> bool {
        self.path.starts_with(".platform/hooks/") || self.path.starts_with(".platform/confighooks/")
    }
}

/// Whether a path is that of a file of variables.
pub(super) fn is_env(path: &str) -> bool {
    const EXAMPLES: [&str; 7] = ["example", "sample", "template", "dist", "tmpl", "tpl", "defaults"];
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_folder = path.split('/').rev().skip(1).any(|folder| folder == ".envs");
    let env = name == ".env" || name.starts_with(".env.") || name.ends_with(".env") || in_folder;
    let plain = name.split(['.', '-', '_']).all(|part| !EXAMPLES.contains(&part));
    env && plain && ![".gitignore", ".gitkeep", "README.md"].contains(&name)
}

/// The files of a project that matter here: what git has, and what Beanstalk and Compose would read.
#[derive(Debug, Default)]
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
}

impl Tree {
    /// The file at this path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Whether the path of a file is one that [`Tree`] wants, although git may not have it.
pub fn is_wanted(path: &str) -> bool {
    let file = File { path: path.to_owned(), text: Zeroizing::default(), mode: 0, tracked: false };
    let deployed = file.is_ebextension() || file.is_hook() || file.is_compose() || file.is_dockerrun();
    deployed || file.is_env() || file.is_saved_configuration() || file.is_ebignore()
}
