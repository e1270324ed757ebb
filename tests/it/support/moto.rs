//! A moto server of the test's own: SSM and Secrets Manager as others understand them.
//!
//! Owns the process, which ends with the value. What moto gets wrong is told where it is used.

use super::provision;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A running server.
pub(crate) struct Moto {
    child: Child,
    endpoint: String,
}

impl Moto {
    /// Starts one and waits until it says where it listens.
    pub(crate) fn start() -> Moto {
        let mut command = Command::new(provision::moto_server());
        command.args(["-H", "127.0.0.1", "-p", "0"]).env("MOTO_ACCOUNT_ID", super::cloud::ACCOUNT);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let endpoint = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            said += &line;
            line.split_once("Running on ").map(|(_, endpoint)| endpoint.trim().to_owned())
        });
        // It tells of every request: somebody has to read that.
        std::thread::spawn(move || lines.for_each(drop));
        let endpoint = endpoint.unwrap_or_else(|| panic!("moto did not start: {said}"));
        Moto { child, endpoint }
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// What a child process needs to talk to it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", super::cloud::ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", super::cloud::SECRET_KEY.to_owned()),
            ("AWS_REGION", super::cloud::REGION.to_owned()),
            ("AWS_DEFAULT_REGION", super::cloud::REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
