//! The last word of a test run: what it could not show because a program that only an administrator can install is
//! not on this machine. A target of its own, without libtest, because it must run after all the others and its lines
//! must not be captured; cargo runs targets in the order of their names.
//!
//! It reads what tests/it/support/machine.rs recorded and never decides itself what is absent.

#![expect(clippy::print_stdout, reason = "it is there to be read at the end of a run")]

fn main() {
    let record = concat!(env!("CARGO_TARGET_TMPDIR"), "/unproven");
    let mut files: Vec<_> =
        std::fs::read_dir(record).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    for line in files.iter().filter_map(|file| std::fs::read_to_string(file).ok()) {
        println!("not shown: {line}");
    }
}
